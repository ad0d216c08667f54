//! The configuration that holds, as a person checks it: one line a key, with its place.

use std::fmt::Write;

use protocol::Limits;

use super::checked::Config;

impl Config {
    /// The configuration that holds, as TOML, each line with its place; credentials are `***`.
    pub fn effective_toml(&self) -> String {
        render(self)
    }
}

fn render(config: &Config) -> String {
    let mut out = String::new();
    for line in &config.effective {
        let said = format!("{} = {}", line.name, line.value);
        writeln!(out, "{said:<44} # {}", line.place).expect("a String takes everything");
    }
    table(&mut out, "limits", &config.limits);
    for (id, tenant) in &config.tenants {
        let (generation, suspended) = (tenant.key_generation, tenant.suspended);
        write!(
            out,
            "\n[tenants.\"{id}\"]\nkey_generation = {generation}\nsuspended = {suspended}\n"
        )
        .expect("a String takes everything");
        if *tenant.limits != config.limits {
            table(
                &mut out,
                &format!("tenants.\"{id}\".limits"),
                &tenant.limits,
            );
        }
    }
    out
}

fn table(out: &mut String, name: &str, limits: &Limits) {
    let fields = toml::to_string(limits).expect("limits are numbers");
    write!(out, "\n[{name}]\n{fields}").expect("a String takes everything");
}
