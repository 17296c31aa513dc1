//! Relay connections over keyset pages.

use async_graphql::{
    Error, Object, OutputType,
    connection::{Connection, Edge, EmptyFields},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use entity::store::page::{Cursor, CursorKey, Float, Page, PageRequest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::errors::bad_input;

/// The largest page of most lists.
pub const MAX_PAGE: u64 = 100;
/// The largest page of a run's events.
pub const MAX_EVENTS_PAGE: u64 = 1_000;
pub const DEFAULT_PAGE: u64 = 20;

/// The four arguments of a connection, as they came.
#[derive(Default)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// What a list is sorted by, for reading the cursors of that list and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Time,
    Text,
    Integer,
    Float,
}

#[derive(Serialize, Deserialize)]
enum Key {
    #[serde(rename = "t")]
    Time(i64),
    #[serde(rename = "s")]
    Text(String),
    #[serde(rename = "i")]
    Integer(i64),
    #[serde(rename = "f")]
    Float(f64),
}

impl PageArgs {
    /// Reads the arguments of a list that is sorted by a key of this kind and gives pages of at most `max` rows.
    ///
    /// # Errors
    /// Names the argument and the rule it breaks.
    pub fn request(self, kind: KeyKind, max: u64) -> Result<PageRequest, Error> {
        let (limit, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(bad_input("give either first or last, not both")),
            (Some(first), None) => (size("first", first, max)?, false),
            (None, Some(last)) => (size("last", last, max)?, true),
            (None, None) => (DEFAULT_PAGE, false),
        };
        let after = self.after.map(|cursor| decode("after", &cursor, kind)).transpose()?;
        let before = self.before.map(|cursor| decode("before", &cursor, kind)).transpose()?;
        Ok(PageRequest { limit, backward, after, before })
    }
}

fn size(name: &str, value: i32, max: u64) -> Result<u64, Error> {
    u64::try_from(value)
        .ok()
        .filter(|size| (1..=max).contains(size))
        .ok_or_else(|| bad_input(format!("{name} must be from 1 to {max}")))
}

/// The text of a cursor.
pub fn encode(cursor: &Cursor) -> String {
    let key = match &cursor.key {
        CursorKey::Time(time) => Key::Time(time.timestamp_micros()),
        CursorKey::Text(text) => Key::Text(text.clone()),
        CursorKey::Integer(value) => Key::Integer(*value),
        CursorKey::Float(value) => Key::Float(value.0),
    };
    // A number, a string and a UUID always have a JSON text.
    let text = serde_json::to_string(&(key, cursor.id)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(text)
}

fn decode(name: &str, text: &str, kind: KeyKind) -> Result<Cursor, Error> {
    let read = || -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (key, id): (Key, Uuid) = serde_json::from_slice(&bytes).ok()?;
        let key = match (key, kind) {
            (Key::Time(micros), KeyKind::Time) => {
                CursorKey::Time(DateTime::<Utc>::from_timestamp_micros(micros)?)
            }
            (Key::Text(text), KeyKind::Text) if !text.contains('\0') => CursorKey::Text(text),
            (Key::Integer(value), KeyKind::Integer) => CursorKey::Integer(value),
            (Key::Float(value), KeyKind::Float) => CursorKey::Float(Float(value)),
            _ => return None,
        };
        Some(Cursor { key, id })
    };
    read().ok_or_else(|| bad_input(format!("{name} is not a cursor of this list in this order")))
}

/// A connection whose total is counted only when it is asked for.
pub type Paged<N> = Connection<String, N, Total>;

/// How to count a whole list.
pub struct Total(Count);

type Count = Box<dyn Fn(&async_graphql::Context<'_>) -> CountFuture + Send + Sync>;
type CountFuture = std::pin::Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;

#[Object]
impl Total {
    /// How many there are on all pages together. Counted only when selected.
    async fn total_count(&self, ctx: &async_graphql::Context<'_>) -> Option<Result<i32, Error>> {
        Some((self.0)(ctx).await.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
    }
}

/// Makes a connection of a page. `cursor` is the place of a row in its list; `count` counts the whole list.
pub fn connection<R, N, F>(
    page: Page<R>,
    cursor: impl Fn(&R) -> Cursor,
    node: impl Fn(R) -> N,
    count: impl Fn(&async_graphql::Context<'_>) -> F + Send + Sync + 'static,
) -> Paged<N>
where
    N: OutputType,
    F: Future<Output = Result<u64, Error>> + Send + 'static,
{
    let total = Total(Box::new(move |ctx| Box::pin(count(ctx))));
    let mut connection = Connection::with_additional_fields(page.has_previous, page.has_next, total);
    connection.edges = page
        .rows
        .into_iter()
        .map(|row| {
            let cursor = encode(&cursor(&row));
            Edge::<String, N, EmptyFields>::new(cursor, node(row))
        })
        .collect();
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(first: Option<i32>, last: Option<i32>) -> PageArgs {
        PageArgs { first, last, ..Default::default() }
    }

    #[test]
    fn a_page_has_a_size_from_one_to_its_maximum_and_one_direction() {
        let request = |first, last| args(first, last).request(KeyKind::Time, MAX_PAGE);
        assert_eq!(request(None, None).unwrap().limit, 20);
        assert_eq!(request(Some(100), None).unwrap().limit, 100);
        assert!(request(None, Some(3)).unwrap().backward);
        for (first, last) in
            [(Some(0), None), (Some(101), None), (Some(-1), None), (None, Some(0)), (Some(1), Some(1))]
        {
            assert!(request(first, last).is_err(), "{first:?} {last:?}");
        }
    }

    #[test]
    fn a_cursor_survives_its_text_and_fits_its_own_order_alone() {
        let id = Uuid::now_v7();
        for (kind, key) in [
            (KeyKind::Time, CursorKey::Time(entity::time::now())),
            (KeyKind::Text, CursorKey::Text("Heap".into())),
            (KeyKind::Integer, CursorKey::Integer(-7)),
            (KeyKind::Float, CursorKey::Float(Float(0.1))),
        ] {
            let cursor = Cursor { key, id };
            assert_eq!(decode("after", &encode(&cursor), kind).unwrap(), cursor);
            let other = if kind == KeyKind::Text { KeyKind::Time } else { KeyKind::Text };
            assert!(decode("after", &encode(&cursor), other).is_err());
        }
        assert!(decode("after", "nonsense", KeyKind::Time).is_err());
    }
}
