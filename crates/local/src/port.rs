//! Ports: a free one, or who has the one that is wanted.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::Context as _;
use listeners::Protocol;
use pubsub::env::Misconfigured;

/// What listens on loopback answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);
/// The process that has port 5000 on macOS while AirPlay Receiver is on.
const AIRPLAY: &str = "ControlCenter";

/// `wanted`, or if that is 0 a port of `host` that was free a moment ago.
///
/// # Errors
///
/// [`Misconfigured`] if it cannot be used; it names the process that has the port, if this user may
/// know.
pub fn free(wanted: u16, host: IpAddr) -> anyhow::Result<u16> {
    if wanted != 0 && is_answered(wanted) {
        return Err(in_use(wanted).into());
    }
    let listener = TcpListener::bind((host, wanted)).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => in_use(wanted),
        _ => Misconfigured(format!("cannot listen on {host}, port {wanted}: {error}")),
    })?;
    Ok(listener.local_addr().context("reading the port")?.port())
}

/// Says that a port is in use, and by which process.
pub fn in_use(port: u16) -> Misconfigured {
    let by = match listeners::get_process_by_port(port, Protocol::TCP) {
        Ok(process) if process.name == AIRPLAY => {
            " by AirPlay Receiver: turn it off in the system settings".to_owned()
        }
        Ok(process) => format!(" by {} (process {}): stop it", process.name, process.pid),
        // The process of another user, or in a container.
        Err(_) => ": stop what listens there".to_owned(),
    };
    Misconfigured(format!("port {port} is in use{by}, or choose another port"))
}

/// Whether `localhost` leads to somebody else. On macOS a port of loopback can be taken although
/// another process has it on all addresses, and a browser would then reach either of the two.
fn is_answered(port: u16) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]
        .into_iter()
        .any(|host| TcpStream::connect_timeout(&(host, port).into(), ANSWER_TIMEOUT).is_ok())
}
