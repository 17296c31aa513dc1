//! Copies of rows that are read more often than they change: in this process, and where there is a Redis in that, for all.
//!
//! Nothing in here says who may read it: whoever takes a copy has just been told by the database that the reader may. A copy
//! is kept under what it is a copy of, so that a change makes another key rather than a stale value.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use entity::{
    status::TemplateCategory,
    store::page::{Page, PageRequest},
    template,
};
use futures_util::StreamExt;
use moka::sync::Cache as Near;
use redis::RedisError;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    bus::{Bus, Notice},
    redis_link::{self, Connection},
};

/// How long a copy is kept: what is hot is read again every five minutes, and a notice that was lost costs no more than that.
const LIFE: Duration = Duration::from_secs(300);
/// Bytes of canvases, as text, that one process keeps.
const CANVAS_BYTES: u64 = 16 << 20;
/// Pages of templates that one process keeps: clients choose what pages there are.
const TEMPLATE_PAGES: u64 = 256;
/// A Redis that is slower than the database is of no use here.
const PATIENCE: Duration = Duration::from_millis(250);

/// The canvas at the head of a design. A version of a design never has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CanvasKey {
    pub design_id: Uuid,
    pub version: i32,
}

/// A page of templates, of one category or of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplatePage {
    pub category: Option<TemplateCategory>,
    pub request: PageRequest,
}

/// A handle to the cache; clones share it.
#[derive(Clone)]
pub struct Cache {
    canvases: Near<CanvasKey, Canvas>,
    far: Option<Far>,
    templates: Near<(u64, TemplatePage), Arc<Page<template::Model>>>,
    /// Grows when the templates change: pages that were read before are never found again.
    edition: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Canvas {
    json: Arc<Json>,
    bytes: u32,
}

/// What processes share.
#[derive(Clone)]
struct Far {
    connection: Connection,
    prefix: String,
}

/// The templates as they were when this was taken.
pub struct TemplateEdition<'a> {
    cache: &'a Cache,
    edition: u64,
}

impl Cache {
    /// The cache under a namespace of its own (on Redis). It forgets the templates when the bus says that they changed.
    pub async fn connect_in(redis_url: Option<&str>, namespace: &str, bus: &Bus) -> Result<Self, RedisError> {
        let far = match redis_url {
            Some(url) => {
                let (_, connection) = redis_link::connect(url).await?;
                Some(Far { connection, prefix: format!("{{{namespace}}}:canvas") })
            }
            None => None,
        };
        let canvases = Near::builder()
            .time_to_live(LIFE)
            .max_capacity(CANVAS_BYTES)
            .weigher(|_, canvas: &Canvas| canvas.bytes)
            .build();
        let edition = Arc::new(AtomicU64::new(0));
        let (told, mut notices) = (edition.clone(), bus.subscribe());
        // It ends with the last handle of the bus.
        tokio::spawn(async move {
            while let Some(notice) = notices.next().await {
                if matches!(notice, Notice::TemplatesChanged | Notice::Lagged) {
                    told.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let templates = Near::builder().time_to_live(LIFE).max_capacity(TEMPLATE_PAGES).build();
        Ok(Self { canvases, far, templates, edition })
    }

    /// Those of these canvases that are kept.
    pub async fn canvases(&self, keys: &[CanvasKey]) -> HashMap<CanvasKey, Arc<Json>> {
        let near = |key: &CanvasKey| Some((*key, self.canvases.get(key)?.json));
        let mut found: HashMap<_, _> = keys.iter().filter_map(near).collect();
        let missing: Vec<_> = keys.iter().copied().filter(|key| !found.contains_key(key)).collect();
        count("process", found.len());
        let Some(far) = self.far.as_ref().filter(|_| !missing.is_empty()) else { return found };
        let texts = far.read(&missing).await;
        for (key, text) in missing.into_iter().zip(texts) {
            let Some(text) = text else { continue };
            let Ok(json) = serde_json::from_slice(&text) else { continue };
            let json = Arc::new(json);
            self.keep_near(key, &json, text.len());
            found.insert(key, json);
            count("redis", 1);
        }
        found
    }

    /// Keeps canvases that were just read.
    pub async fn keep_canvases(&self, canvases: &HashMap<CanvasKey, Arc<Json>>) {
        let texts: Vec<_> = canvases.iter().map(|(key, json)| (*key, json.to_string())).collect();
        for (key, text) in &texts {
            self.keep_near(*key, &canvases[key], text.len());
        }
        if let Some(far) = &self.far {
            far.write(&texts).await;
        }
    }

    fn keep_near(&self, key: CanvasKey, json: &Arc<Json>, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.canvases.insert(key, Canvas { json: json.clone(), bytes });
    }

    /// The templates as they are known now; to be taken before they are read, so that a page that was read while they
    /// changed is not kept as what came after.
    pub fn templates(&self) -> TemplateEdition<'_> {
        TemplateEdition { cache: self, edition: self.edition.load(Ordering::SeqCst) }
    }
}

impl TemplateEdition<'_> {
    pub fn get(&self, page: &TemplatePage) -> Option<Arc<Page<template::Model>>> {
        self.cache.templates.get(&(self.edition, page.clone()))
    }

    pub fn keep(&self, page: TemplatePage, found: Arc<Page<template::Model>>) {
        self.cache.templates.insert((self.edition, page), found);
    }
}

impl Far {
    /// What is kept under each key. A Redis that fails keeps nothing.
    async fn read(&self, keys: &[CanvasKey]) -> Vec<Option<Vec<u8>>> {
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(self.name(key));
        }
        let mut connection = self.connection.clone();
        attempt(command.query_async(&mut connection)).await.unwrap_or_default()
    }

    async fn write(&self, texts: &[(CanvasKey, String)]) {
        let mut pipeline = redis::pipe();
        for (key, text) in texts {
            pipeline.set_ex(self.name(key), text, LIFE.as_secs()).ignore();
        }
        let mut connection = self.connection.clone();
        attempt(pipeline.query_async::<()>(&mut connection)).await;
    }

    fn name(&self, key: &CanvasKey) -> String {
        format!("{}:{}:{}", self.prefix, key.design_id, key.version)
    }
}

/// What Redis answers, if it does so in time: the database has the answer too.
async fn attempt<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the cache's Redis failed");
            None
        }
        Err(_) => {
            tracing::warn!("the cache's Redis did not answer in time");
            None
        }
    }
}

fn count(place: &'static str, hits: usize) {
    metrics::counter!("cache_hits_total", "cache" => "canvases", "place" => place).increment(hits as u64);
}
