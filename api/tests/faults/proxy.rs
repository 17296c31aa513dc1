//! A network between two processes, with its faults.

use std::{future::pending, net::Ipv4Addr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::AbortHandle,
};

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Works,
    /// Bytes are held, in both directions and in new connections, until it works again.
    Stalls,
    /// Every connection is reset, and no new one comes to be.
    Refuses,
}

/// A port that leads to another one.
pub struct Proxy {
    pub port: u16,
    network: Arc<watch::Sender<Network>>,
    /// Grows when connections are forgotten.
    generation: Arc<watch::Sender<u64>>,
    listener: AbortHandle,
}

impl Proxy {
    pub async fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = Arc::new(watch::Sender::new(Network::Works));
        let generation = Arc::new(watch::Sender::new(0));
        let (networks, generations) = (network.clone(), generation.clone());
        let listening = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else { continue };
                let line = Line { network: networks.subscribe(), generation: generations.subscribe() };
                tokio::spawn(line.serve(near, target_port));
            }
        });
        Self { port, network, generation, listener: listening.abort_handle() }
    }

    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Forgets every connection without telling either end, as a router that lost its state does: whoever waits on one of
    /// them waits for ever. New connections work.
    pub fn forget(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// One connection.
#[derive(Clone)]
struct Line {
    network: watch::Receiver<Network>,
    generation: watch::Receiver<u64>,
}

impl Line {
    async fn serve(mut self, near: TcpStream, target_port: u16) {
        let mut network = self.network.clone();
        // Dropping a socket that holds unread bytes resets its connection.
        let refused = async { drop(network.wait_for(|network| *network == Network::Refuses).await) };
        let pumped = async {
            self.works().await;
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target_port)).await else { return };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::select! {
                () = self.clone().pump(near_read, far_write) => {}
                () = self.clone().pump(far_read, near_write) => {}
            }
        };
        tokio::select! {
            () = refused => {}
            () = pumped => {}
        }
    }

    async fn works(&mut self) {
        // An error says that the proxy is gone, and with it the runtime soon.
        drop(self.network.wait_for(|network| *network == Network::Works).await);
    }

    async fn pump(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
            self.works().await;
            if self.generation.has_changed().unwrap_or_default() {
                // Both sockets stay open.
                pending::<()>().await;
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }
}
