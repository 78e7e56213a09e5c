//! Accepts the connections to the proxy, unless an outage refuses or cuts them.

use std::{future::Future, io, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::outage::Broken;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

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
            let socket = TcpSocket::new_v4()?;
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
