//! What the kernel tells of the sockets of a port.

/// What the kernel tells of one connection of a port. Source: ss(8), whose filter the kernel applies: the
/// table of proc(5) has the sockets of all processes.
#[derive(Debug)]
struct KernelSocket {
    state: String,
    /// Bytes that we have not read.
    unread: usize,
    /// Bytes that the peer has not taken.
    untaken: usize,
    /// `SO_RCVBUF` as it reads back.
    receive_buffer: usize,
}

fn kernel_sockets(port: u16) -> Vec<KernelSocket> {
    let filter = format!("sport = :{port}");
    let mut ss = std::process::Command::new("ss");
    let output = ss.args(["-tmnHO", &filter]).output();
    let text = output.expect("ss, of iproute2, is installed").stdout;
    let of_line = |line: &str| {
        let mut columns = line.split_whitespace();
        Some(KernelSocket {
            state: columns.next()?.to_owned(),
            unread: columns.next()?.parse().ok()?,
            untaken: columns.next()?.parse().ok()?,
            receive_buffer: line.split_once(",rb")?.1.split(',').next()?.parse().ok()?,
        })
    };
    let text = String::from_utf8_lossy(&text);
    text.lines().filter_map(of_line).collect()
}

/// Bytes that the kernel holds for peers of this port which have not taken them.
pub fn kernel_bytes(port: u16) -> usize {
    kernel_sockets(port).iter().map(|it| it.untaken).sum()
}

/// Bytes of peers of this port that the kernel holds and nobody has read.
pub fn unread_bytes(port: u16) -> usize {
    kernel_sockets(port).iter().map(|it| it.unread).sum()
}

/// Whether our end of a connection of this port is written and not taken.
pub fn has_ended(port: u16) -> bool {
    kernel_sockets(port)
        .iter()
        .any(|it| it.state == "FIN-WAIT-1")
}

/// The receive buffers of a port's connections, bytes.
pub fn receive_buffers(port: u16) -> Vec<usize> {
    let sockets = kernel_sockets(port);
    sockets.iter().map(|it| it.receive_buffer).collect()
}
