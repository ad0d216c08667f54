//! The program as people meet it: several processes on this machine, and what they print.

#[cfg(test)]
mod admin_tls;
#[cfg(test)]
mod another_user;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod echo;
#[cfg(test)]
mod environments;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod exit_codes;
#[cfg(test)]
mod export;
#[cfg(test)]
mod full_stderr;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod json;
#[cfg(test)]
mod json_log;
#[cfg(test)]
mod local_key;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod redis_tls;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod start;
#[cfg(test)]
mod state_dir;
#[cfg(test)]
mod supervisor;
#[cfg(test)]
mod tenant;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_reload;
#[cfg(test)]
mod why;
