//! The configuration that holds, as a person checks it: one line a key, with its place.

use std::fmt::Write;

use protocol::Allowance;
use serde::Serialize;

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
    for (name, plan) in &config.plans {
        let name = format!("plans.\"{name}\"");
        if *plan.limits != config.limits {
            table(&mut out, &format!("{name}.limits"), &*plan.limits);
        }
        write!(out, "\n[{name}.month]\n").expect("a String takes everything");
        for (meter, allowance) in plan.allowances.iter() {
            let Allowance { soft, hard } = allowance;
            let bounds = [("soft", soft), ("hard", hard)].into_iter();
            let bounds = bounds.filter_map(|(name, amount)| Some((name, amount?)));
            let bounds = bounds.map(|(name, amount)| format!("{name} = {}", meter.whole(amount)));
            let bounds: Vec<String> = bounds.collect();
            writeln!(out, "{meter} = {{ {} }}", bounds.join(", "))
                .expect("a String takes everything");
        }
    }
    for (id, tenant) in &config.tenants {
        let (generation, suspended) = (tenant.key_generation, tenant.suspended);
        write!(
            out,
            "\n[tenants.\"{id}\"]\nkey_generation = {generation}\nsuspended = {suspended}\n"
        )
        .expect("a String takes everything");
        if let Some(plan) = &tenant.plan {
            writeln!(out, "plan = \"{plan}\"").expect("a String takes everything");
        }
        if !tenant.limits.is_empty() {
            table(
                &mut out,
                &format!("tenants.\"{id}\".limits"),
                &tenant.limits,
            );
        }
    }
    out
}

fn table(out: &mut String, name: &str, limits: &impl Serialize) {
    let fields = toml::to_string(limits).expect("limits are numbers");
    write!(out, "\n[{name}]\n{fields}").expect("a String takes everything");
}
