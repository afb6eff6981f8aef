//! Who holds a port, where the system says so (Linux, and processes we may look into).

#[cfg(target_os = "linux")]
use crate::process_stat::ProcessStat;

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortOwner {
    pub(crate) pid: u32,
    pub(crate) name: String,
}

/// The process that listens on a TCP port.
#[cfg(target_os = "linux")]
pub(super) fn of_port(port: u16) -> Option<PortOwner> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let sockets: Vec<String> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A process that begins a child shares it with the child for a moment: the child is not whom to stop.
    let pid = pids
        .filter(|pid| holds(*pid, &sockets))
        .min_by_key(|pid| began(*pid))?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(PortOwner {
        pid,
        name: name.trim().to_owned(),
    })
}

/// Whether a process has one of the sockets open.
#[cfg(target_os = "linux")]
fn holds(pid: u32, sockets: &[String]) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let mut targets = files.into_iter().flat_map(|files| {
        files
            .flatten()
            .filter_map(|file| std::fs::read_link(file.path()).ok())
    });
    targets.any(|target| {
        sockets
            .iter()
            .any(|socket| target.as_os_str() == socket.as_str())
    })
}

/// When a process began, and its number where two began at once; one that is gone is the last.
#[cfg(target_os = "linux")]
fn began(pid: u32) -> (u64, u32) {
    let stat = ProcessStat::of(pid);
    (stat.map_or(u64::MAX, |stat| stat.start_time), pid)
}

/// Other systems have no table that a plain program may read.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_port(_port: u16) -> Option<PortOwner> {
    None
}

/// The inodes of sockets that listen on a port, out of `/proc/net/tcp`.
#[cfg(target_os = "linux")]
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let inode = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let local = columns.get(1)?;
        let is_it = local.ends_with(&suffix) && columns.get(3) == Some(&LISTEN);
        is_it.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_of_the_port_are_taken_from_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1CFD 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1 0\n\
            1: 0100007F:1CFD 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0 0 5 1 0\n\
            2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 6 1 0\n";
        assert_eq!(listening(table, 7421), ["4242"]);
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
        let port = socket
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        assert_eq!(
            of_port(port).map(|port_owner| port_owner.pid),
            Some(std::process::id())
        );
    }
}
