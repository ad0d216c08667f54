//! `demo`: a gateway, a bot and a client in one process, and a message through a real socket.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use client::{Client, ClientEvent, ConnectOptions, ProxyRules, members_of};
use gateway::config::{Config, ConfigKey, ConfigPurpose, GivenSettings};
use gateway::{GatewayShutdown, RunError, StartingGateway, telemetry};
use protocol::t2b::frames::SendMessage;
use protocol::{BotId, Secret, TenantId};
use tokio::task::{JoinError, JoinHandle};

use crate::bot::{echo, serve};
use crate::config_args::load;
use crate::failure::CommandFailure;
use crate::feed::EventFeed;
use crate::out::say;
use crate::serve::COMMIT;
use crate::{chat, signals, term};

const BOT: &str = "bot_echo";
/// Where the other commands look for a gateway.
const DEFAULT_URL: &str = "ws://127.0.0.1:3000/ws";
const QUESTION: &str = "Hello! Does this tunnel work?";
/// Why it ends by itself.
const NO_TERMINAL: &str =
    "stdout is not a terminal: the demo ends here; on a terminal it serves until Ctrl-C";

/// Shows a conversation. On a terminal the gateway and the bot stay until Ctrl-C.
pub async fn run() -> Result<(), CommandFailure> {
    // It has no configuration file: SIGHUP changes nothing.
    let shutdown = signals::handle()?.shutdown;
    let config = config()?;
    let _telemetry =
        telemetry::init(&config).map_err(|error| CommandFailure::usage("config", error))?;
    let shown = tokio::select! {
        shown = show(config) => shown?,
        () = shutdown.begun() => None,
    };
    let Some(mut parts) = shown else {
        return Ok(());
    };
    if term::is_read() {
        tokio::select! {
            () = shutdown.begun() => {}
            ended = &mut parts.running => return of_gateway(ended),
        }
    }
    parts.end().await
}

/// What runs once the conversation is over.
struct DemoParts {
    running: JoinHandle<Result<(), RunError>>,
    /// Ends the gateway.
    shutdown: GatewayShutdown,
    bot: Client,
    echoing: JoinHandle<Result<(), CommandFailure>>,
}

impl DemoParts {
    /// The bot first: it would tell that the gateway closes its connection.
    async fn end(self) -> Result<(), CommandFailure> {
        signals::pass_to(&self.shutdown)?;
        self.echoing.abort();
        self.bot.close().await;
        self.shutdown.begin();
        of_gateway(self.running.await)
    }
}

fn of_gateway(ended: Result<Result<(), RunError>, JoinError>) -> Result<(), CommandFailure> {
    let ended = ended.map_err(|error| CommandFailure::failed("gateway", error))?;
    ended.map_err(|error| CommandFailure::failed("gateway", error))
}

/// Shows it. None: the gateway was shut down before it served.
async fn show(config: Config) -> Result<Option<DemoParts>, CommandFailure> {
    let user = TenantId::parse("local").expect("a valid id");
    let key = config.issue_key(&user, None).await?;
    let base_path = config.base_path.clone();
    let shutdown = GatewayShutdown::default();
    let starting = StartingGateway::begin(config, shutdown.clone(), COMMIT)?;
    let Some(gateway) = starting.finish().await? else {
        return Ok(None);
    };
    let addresses = gateway.addresses();
    let url = format!("ws://{}{base_path}/ws", addresses.public);
    say!(
        "{}   {url}, admin http://{}",
        term::bold("gateway"),
        addresses.admin
    )?;
    let running = tokio::spawn(gateway.run());

    let bot_id = BotId::parse(BOT).expect("a valid id");
    let (bot, bot_events) = Client::connect(beside(&url, &key)).await?;
    bot.register(echo::bot(&bot_id)).await?;
    say!(
        "{}       {BOT} dialled in and registered",
        term::bold("bot")
    )?;
    let echoing = {
        let bot = bot.clone();
        let feed = EventFeed::new(bot_events);
        tokio::spawn(async move { serve(&bot, feed, echo::SameText).await })
    };

    let mut options = beside(&url, &key);
    options.client_id = Some("demo-phone".parse().expect("a valid id"));
    converse(options, &bot_id).await?;
    match term::is_read() {
        true => how_to_go_on(&url, addresses.admin)?,
        false => say!("{NO_TERMINAL}")?,
    }
    Ok(Some(DemoParts {
        running,
        shutdown,
        bot,
        echoing,
    }))
}

/// The gateway of this process is reached directly, whatever the environment says of proxies.
fn beside(url: &str, key: &Secret<String>) -> ConnectOptions {
    let mut options = ConnectOptions::new(url, key.clone());
    options.proxy = ProxyRules::direct();
    options
}

/// One question and its answer, as they come.
async fn converse(options: ConnectOptions, bot: &BotId) -> Result<(), CommandFailure> {
    let (client, events) = Client::connect(options).await?;
    let mut feed = EventFeed::new(events);
    say!("{}    demo-phone dialled in\n", term::bold("client"))?;
    chat::online(&client, &mut feed, bot).await?;
    let question = SendMessage {
        to: bot.to_string(),
        text: Some(QUESTION.to_owned()),
        ..SendMessage::default()
    };
    say!("  demo-phone → {bot}   {QUESTION}")?;
    client.send(question).await?;
    loop {
        let event = feed.next().await?;
        if let ClientEvent::Partial(partial) = &event {
            let text = members_of(partial).text.unwrap_or_default();
            say!(
                "  {bot} → demo-phone   {}",
                term::for_stdout(&format!("{text} …"))
            )?;
        } else if let ClientEvent::Message(message) = &event {
            let text = members_of(message).text.unwrap_or_default();
            say!(
                "  {bot} → demo-phone   {}\n",
                term::green(&term::for_stdout(&text))
            )?;
            client.close().await;
            return Ok(());
        }
    }
}

/// The usual ports if they are free, else any; logs only of what is wrong.
fn config() -> Result<Config, CommandFailure> {
    let mut flags = GivenSettings::default();
    for (name, port) in [("listen", 3000), ("admin_listen", 9464)] {
        let key = ConfigKey::of(name).expect("a row of KEYS");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            flags.set_flag(key, &address.to_string());
        } else {
            say!("port {port} is in use; using another one")?;
            flags.set_flag(key, "127.0.0.1:0");
        }
    }
    if std::env::var_os("T2B_LOG").is_none() {
        flags.set_flag(ConfigKey::of("log").expect("a row of KEYS"), "warn");
    }
    load(None, flags, ConfigPurpose::Serve)
}

/// Commands for another shell; the key needs no mention, as it comes from the state directory.
fn how_to_go_on(url: &str, admin: SocketAddr) -> Result<(), CommandFailure> {
    let url = match url {
        DEFAULT_URL => String::new(),
        url => format!(" --url {url}"),
    };
    let admin = match admin.port() {
        9464 => String::new(),
        _ => format!(" --admin-listen {admin}"),
    };
    say!("In another shell:")?;
    say!("  t2b chat {BOT}{url}")?;
    say!("  t2b bots{url}")?;
    say!("  t2b gateway status{admin}")?;
    say!("  t2b keys issue alice")?;
    say!("\nCtrl-C ends it.")
}
