//! Accepts the connections to the proxy, unless an outage refuses or cuts them.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::outage::Broken;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How this machine reaches what listens on an address.
pub fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The address of this machine that a connection leads to, if it also comes from there.
pub fn within_this_machine(stream: &TcpStream) -> Option<IpAddr> {
    let [own, peer] = [stream.local_addr().ok()?, stream.peer_addr().ok()?];
    (own.ip() == peer.ip()).then(|| own.ip().to_canonical())
}

/// Accepts connections for ever, and calls `serve` for each, with how it is broken.
///
/// When `broken` becomes something, open connections are cut.
///
/// # Errors
///
/// If it cannot listen again after connections were refused.
pub async fn accept<F: Future<Output = ()> + Send + 'static>(
    mut listener: TcpListener,
    mut broken: watch::Receiver<Option<Broken>>,
    serve: impl Fn(TcpStream, Option<Broken>) -> F,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    // Dropping the set together with this task closes all connections.
    let mut connections = JoinSet::new();
    loop {
        let how = *broken.borrow_and_update();
        if how.is_some() {
            connections.abort_all();
        }
        if how == Some(Broken::Refused) {
            drop(listener);
            // A port that is bound and not listened at refuses connections, and is not given away.
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let _ = broken.changed().await;
            listener = socket.listen(BACKLOG)?;
            continue;
        }
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Ok(()) = broken.changed() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, how));
                }
                // Most likely the process is out of file descriptors; some will be closed soon.
                Err(error) => {
                    tracing::warn!(%error, "the proxy cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }
}
