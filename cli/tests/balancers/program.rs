//! The load balancers, and how each is started from its file in `deploy/balancers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fixtures::{LoggedProcess, free_port};

use crate::stage::{NETWORK, StageAddresses};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/balancers");

/// A load balancer.
pub struct BalancerProgram {
    pub name: &'static str,
    /// Its files, the one that it is given first.
    files: &'static [&'static str],
    /// What is replaced in its files, beside the addresses and paths of all programs.
    replaced: &'static [(&'static str, &'static str)],
    /// Its arguments.
    args: &'static [&'static str],
    /// Whether it asks `/readyz`.
    pub has_checks: bool,
    /// Whether it closes the sockets of a node that does not answer.
    pub closes_stopped: bool,
}

/// What is replaced in the files of all programs: the addresses of the documents by those of the test. In braces are
/// values of a start: `{front}` is the address of the load balancer, `{port}` its port, `{other}` a free port,
/// `{place}` a folder, `{public}` and `{admin}` the ports of the gateways.
const REPLACED: &[(&str, &str)] = &[
    ("/etc/t2b/tls", "{certificates}"),
    ("10.77.0.", NETWORK),
    ("3000", "{public}"),
    ("9464", "{admin}"),
];

pub const PROGRAMS: &[BalancerProgram] = &[
    BalancerProgram {
        name: "haproxy",
        files: &["haproxy.cfg"],
        replaced: &[("bind :443", "bind {front}")],
        args: &["-db", "-f", "{place}/haproxy.cfg"],
        has_checks: true,
        closes_stopped: true,
    },
    BalancerProgram {
        name: "nginx",
        files: &["nginx.conf"],
        replaced: &[
            ("listen 443", "listen {front}"),
            ("/run/nginx.pid", "{place}/nginx.pid"),
            // Debian's nginx keeps bodies in a folder of root.
            ("http {", "http {\nclient_body_temp_path {place};"),
        ],
        // One process, which ends with the test.
        args: &[
            "-e",
            "stderr",
            "-c",
            "{place}/nginx.conf",
            "-g",
            "daemon off; master_process off;",
        ],
        has_checks: false,
        closes_stopped: false,
    },
    BalancerProgram {
        name: "caddy",
        files: &["Caddyfile"],
        replaced: &[
            ("https_port 443", "https_port {port}"),
            (
                "http_port 80",
                "http_port {other}\n\tdefault_bind 127.0.0.1",
            ),
            ("admin localhost:2019", "admin off"),
        ],
        args: &[
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            "{place}/Caddyfile",
        ],
        has_checks: true,
        closes_stopped: false,
    },
    BalancerProgram {
        name: "envoy",
        files: &["envoy.yaml"],
        replaced: &[(
            "address: 0.0.0.0, port_value: 443",
            "address: 127.0.0.1, port_value: {port}",
        )],
        args: &[
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "warn",
            "-c",
            "{place}/envoy.yaml",
        ],
        has_checks: true,
        closes_stopped: false,
    },
    BalancerProgram {
        name: "traefik",
        files: &["traefik/traefik.yaml", "traefik/dynamic.yaml"],
        replaced: &[
            (":443", "{front}"),
            ("/etc/traefik/dynamic.yaml", "{place}/traefik/dynamic.yaml"),
        ],
        args: &["--configfile={place}/traefik/traefik.yaml"],
        has_checks: true,
        closes_stopped: false,
    },
];

/// A running load balancer.
pub struct BalancerFront {
    /// Where clients connect, `IP:PORT`.
    pub address: String,
    process: LoggedProcess,
}

impl BalancerProgram {
    /// Starts it from its files.
    pub fn start(&self, folder: &Path, stage: StageAddresses<'_>) -> BalancerFront {
        let place = stage.place.join(self.name);
        fs::create_dir_all(place.join("traefik")).unwrap();
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let filled = [
            ("{front}", address.clone()),
            ("{port}", port.to_string()),
            ("{other}", free_port().to_string()),
            ("{public}", stage.public_port.to_string()),
            ("{admin}", stage.admin_port.to_string()),
            ("{place}", place.display().to_string()),
            ("{certificates}", stage.place.display().to_string()),
        ];
        let fill = |text: &str| {
            let mut text = text.to_owned();
            for (name, value) in &filled {
                text = text.replace(name, value);
            }
            text
        };
        let files = self.files.iter().map(|name| (*name, read(name)));
        let mut files: Vec<_> = files.collect();
        for (old, new) in REPLACED.iter().chain(self.replaced) {
            let mut found = false;
            for (_, text) in &mut files {
                found |= text.contains(old);
                *text = text.replace(old, new);
            }
            assert!(found, "{}: no {old:?} in its files", self.name);
        }
        for (name, text) in files {
            fs::write(place.join(name), fill(&text)).unwrap();
        }

        let mut command = Command::new(folder.join(self.name));
        command
            .env_clear()
            .env("HOME", &place)
            .args(self.args.iter().map(|it| fill(it)))
            .stdin(Stdio::null());
        BalancerFront {
            address,
            process: LoggedProcess::spawn(command, &place.join("log")),
        }
    }
}

impl BalancerFront {
    /// The last lines that the program printed.
    pub fn last_lines(&self) -> String {
        self.process.last_lines(30)
    }
}

fn read(name: &str) -> String {
    let path = PathBuf::from(FILES).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
