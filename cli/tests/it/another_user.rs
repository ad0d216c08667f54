//! Processes of a user that the machine does not know, as containers have them: a uid without an entry in
//! the passwd file. Who is not root cannot become another user, and starts them as itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{PipedProcess, TestHome};

/// Nobody has it: systems give their own users ids below 60,000, and a container's gets 65,532.
const UID: u32 = 61_234;

pub struct AnotherUser {
    /// A copy that this user may run, whatever the folder that the program was built in.
    program: PathBuf,
    is_root: bool,
}

impl AnotherUser {
    /// Lets this user read the home.
    pub fn new(home: &TestHome) -> Self {
        let program = home.path().join("t2b");
        fs::copy(env!("CARGO_BIN_EXE_t2b"), &program).unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        Self { program, is_root }
    }

    /// Starts `t2b` with these arguments, by `wrapper` if there is one, and with no other variables.
    pub fn start(
        &self,
        wrapper: &[&str],
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> PipedProcess {
        let id = UID.to_string();
        let becomes = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
        let becomes = if self.is_root { &becomes[..] } else { &[] };
        let program = self.program.to_str().unwrap();
        let all = [becomes, wrapper, &[program], args].concat();
        let mut command = Command::new(all[0]);
        command
            .args(&all[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        PipedProcess::start(command)
    }
}
