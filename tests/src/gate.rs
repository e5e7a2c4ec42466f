//! A door in front of a server that can be shut: for a database or a service that is away.
//!
//! A [`Gate`] has a TCP address of its own, which it keeps while it is shut: connections are refused then, as
//! by a machine on which nothing listens. Shutting it cuts the connections that lead through it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::wait_for;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 128;

/// What stands behind a gate.
#[derive(Debug, Clone)]
pub enum Behind {
    /// A server on a Unix socket.
    Socket(PathBuf),
    /// A server on this address.
    Address(SocketAddr),
}

/// The door. Shut at first.
#[derive(Debug)]
pub struct Gate {
    behind: Behind,
    address: SocketAddr,
    /// Bound and never listening: keeps the port while the door turns, or another's connection may get it.
    _anchor: TcpSocket,
    state: State,
    passed: Arc<AtomicU64>,
}

#[derive(Debug)]
enum State {
    /// Bound and not listening: the kernel refuses, and nobody else gets the port.
    Shut(TcpSocket),
    Open(JoinHandle<()>),
    /// Between the two.
    Turning,
}

impl Gate {
    /// A gate that is shut.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn shut_before(behind: Behind) -> Self {
        let anchor = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = anchor.local_addr().expect("a bound socket has an address");
        let state = State::Shut(bound(address));
        Self { behind, address, _anchor: anchor, state, passed: Arc::default() }
    }

    /// How many connections it has let through so far.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections through from now on.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    pub fn open(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Turning) {
            State::Shut(socket) => {
                let listener = socket.listen(BACKLOG).expect("a bound socket can listen");
                State::Open(tokio::spawn(serve(listener, self.behind.clone(), Arc::clone(&self.passed))))
            }
            other => other,
        };
    }

    /// Cuts all connections and refuses new ones from now on.
    ///
    /// # Panics
    /// When the port is lost meanwhile.
    pub async fn shut(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Turning) {
            State::Open(task) => {
                task.abort();
                // ends with the task's listener and connections closed
                let _cancelled = task.await;
                State::Shut(bound_again(self.address).await)
            }
            other => other,
        };
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let State::Open(task) = &self.state {
            task.abort();
        }
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    try_bound(address).unwrap_or_else(|error| panic!("{address} can be had: {error}"))
}

fn try_bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// After a listener on this address was closed: a process that is being started holds our sockets, too, until it has
/// become another program, and while it does, the old one still listens.
async fn bound_again(address: SocketAddr) -> TcpSocket {
    let bound =
        wait_for("the port of the gate", async || try_bound(address).map_err(|error| error.to_string()));
    bound.await
}

async fn serve(listener: TcpListener, behind: Behind, passed: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    passed.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(pass(client, behind.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Both ways until one side ends.
async fn pass(mut client: TcpStream, behind: Behind) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    match behind {
        Behind::Socket(path) => {
            let mut server = UnixStream::connect(path).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        }
        Behind::Address(address) => {
            let mut server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! Goal: a gate keeps its port, whatever is opened around it, and refuses while it is shut.
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn its_port_is_its_own_also_while_it_turns() {
        let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let mut gate = Gate::shut_before(Behind::Address(behind.local_addr().expect("an address")));
        for _ in 0..50 {
            assert!(TcpStream::connect(gate.address()).await.is_err(), "it is shut");
            gate.open();
            let through = TcpStream::connect(gate.address()).await.expect("it is open");
            gate.shut().await;
            drop(through);
            // nobody else can have it, not even one that shares
            let socket = TcpSocket::new_v4().expect("a socket");
            assert!(socket.bind(gate.address()).is_err());
        }
    }

    #[tokio::test]
    async fn it_shuts_although_a_process_that_is_being_started_still_holds_its_socket() {
        let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let anchor = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = anchor.local_addr().expect("an address");
        let listener = bound(address).listen(BACKLOG).expect("a bound socket can listen");
        // as a fork has it, until it becomes another program
        let held = listener.as_fd().try_clone_to_owned().expect("a second handle");
        let behind = Behind::Address(behind.local_addr().expect("an address"));
        let state = State::Open(tokio::spawn(serve(listener, behind.clone(), Arc::default())));
        let mut gate = Gate { behind, address, _anchor: anchor, state, passed: Arc::default() };
        assert!(try_bound(address).is_err(), "somebody listens");
        let ((), ()) = tokio::join!(gate.shut(), async {
            tokio::task::yield_now().await;
            drop(held);
        });
        assert!(TcpStream::connect(address).await.is_err(), "it is shut");
        gate.open();
        TcpStream::connect(address).await.expect("it is open");
    }
}
