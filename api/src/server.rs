//! A running API: its listener and, in the embedded mode, its workers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use entity::connect::{Way, connect_by};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{JoinError, JoinHandle},
    time::timeout,
};
use worker::{config::Mode, pool::Services};

use crate::{config::Config, error::StartError, http::Gateway, router::router, service, state::State};

/// How long requests and sockets may take to end once the server stops; longer than an operation may run unless configured.
const GRACE: Duration = Duration::from_secs(15);

/// A server that listens. Dropped without [`Server::stop`], it serves on until its process ends.
pub struct Server {
    pub state: Arc<State>,
    /// Where it listens; the port is a real one even when the configuration left it to the system.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    terminate: Signal,
    interrupt: Signal,
    serving: JoinHandle<io::Result<()>>,
    /// The workers of the embedded mode.
    workers: Option<JoinHandle<Result<(), worker::error::StartError>>>,
}

impl Server {
    /// Listens, brings the database up to date and starts serving.
    ///
    /// # Errors
    /// What keeps it from starting, as one line for the operator.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        // Before anybody can know that it runs: a signal that nobody listens for ends a process on the spot.
        let terminate = signal(SignalKind::terminate()).map_err(StartError::Serve)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(StartError::Serve)?;
        // Before the database is opened: a second process that was started by mistake must not touch the database.
        let listener = TcpListener::bind(config.bind)
            .await
            .map_err(|source| StartError::Bind { address: config.bind, source })?;
        let address = listener.local_addr().map_err(StartError::Serve)?;
        if config.public_url.port() == Some(0) {
            // A URL with a host takes any port.
            let _ = config.public_url.set_port(Some(address.port()));
        }
        let services = connect(&config).await?;
        let state = Arc::new(State::new(config, services));

        let (stop, draining) = watch::channel(false);
        let gateway = Gateway::new(state.clone(), draining.clone());
        let app =
            router(gateway, &state.config.cors_origins).into_make_service_with_connect_info::<SocketAddr>();
        let drained = stopping(draining.clone());
        let serving =
            tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(drained).await });
        let workers = (state.config.worker.mode() == Mode::Embedded).then(|| {
            let (services, config) = (state.services.clone(), state.config.worker.clone());
            tokio::spawn(worker::pool::run(services, config, stopping(draining)))
        });
        tracing::info!(action = "server_started", url = %state.config.public_url, "listening on {address}");
        Ok(Self { state, address, stop, terminate, interrupt, serving, workers })
    }

    /// Serves until the process is told to end, or something fails.
    pub async fn run(mut self) -> Result<(), StartError> {
        let workers = async {
            match self.workers.as_mut() {
                Some(workers) => workers.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            ended = &mut self.serving => return served(ended),
            ended = workers => return worked(ended),
        }
        self.stop().await
    }

    /// Says that it is no longer ready, lets requests and jobs end, and closes every socket.
    pub async fn stop(self) -> Result<(), StartError> {
        tracing::info!(action = "server_stopping", "stopping");
        // Readers of the flag: readiness, the listener, every socket, the workers.
        self.stop.send_replace(true);
        let ended = timeout(GRACE, async {
            served(self.serving.await)?;
            if let Some(workers) = self.workers {
                worked(workers.await)?;
            }
            drop(self.state);
            self.stop.closed().await;
            Ok(())
        });
        match ended.await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!("some requests or jobs did not end in time");
                Ok(())
            }
        }
    }
}

/// Database, queue and bus, with the tables and the templates that this version needs.
///
/// # Errors
/// What is missing, as one line for the operator.
pub async fn connect(config: &Config) -> Result<Services, StartError> {
    let services = Services::connect(&config.worker).await?;
    let migrated = match config.worker.mode() {
        Mode::Embedded => migration::migrate(services.db.pool()).await,
        Mode::Production => {
            // A step over large tables may take longer than a request may.
            let way = Way {
                max_connections: 1,
                transaction_pooler: config.worker.transaction_pooler,
                ..Way::default()
            };
            let patient = connect_by(&config.worker.database_url, way)
                .await
                .map_err(|error| StartError::Migrate(error.to_string()))?;
            migration::migrate(patient.pool()).await
        }
    };
    migrated.map_err(|error| StartError::Migrate(error.to_string()))?;
    service::templates::seed(&services).await.map_err(|error| StartError::Seed(error.to_string()))?;
    services.with_replica(&config.worker).await.map_err(StartError::Services)
}

async fn stopping(mut draining: watch::Receiver<bool>) {
    // The sender is gone only when its server is.
    let _ = draining.wait_for(|draining| *draining).await;
}

fn served(ended: Result<io::Result<()>, JoinError>) -> Result<(), StartError> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(StartError::Serve)
}

fn worked(ended: Result<Result<(), worker::error::StartError>, JoinError>) -> Result<(), StartError> {
    ended
        .unwrap_or_else(|error| Err(worker::error::StartError::Stopped(error.to_string())))
        .map_err(StartError::Services)
}
