//! Connections of the hot path: a socket of our own, so that it can be held back (see
//! `pubsub/listener.rs`), with redis-rs on it.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo,
    RedisError, Value, ValueCodec,
};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::codec::{Decoder, Framed};
use tokio_util::task::AbortOnDropHandle;

use super::tls::RedisTls;
use crate::redis::config::{CONNECT, RESPONSE};
use crate::redis::session::end::SessionEnd;
use crate::redis::topology::address::ServerAddress;
use crate::redis::topology::url::RedisLogin;

/// A socket in the clear or over TLS.
pub(in crate::redis) trait SocketIo: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> SocketIo for T {}

/// A connection that speaks RESP3, for a caller that reads it itself.
pub(in crate::redis) type SocketFrames = Framed<Pin<Box<dyn SocketIo>>, ValueCodec>;

/// How to come to any server of the target.
#[derive(Clone)]
pub(in crate::redis) struct RedisDialer {
    pub(in crate::redis) login: RedisLogin,
    pub(in crate::redis) database: i64,
    pub(in crate::redis) tls: Option<RedisTls>,
    /// The address that this machine has towards Redis, as of the last connection.
    pub(in crate::redis) local_ip: Arc<Mutex<Option<IpAddr>>>,
}

/// A connection for many commands at once. Dropped, it closes.
pub(in crate::redis) struct CommandLink {
    connection: MultiplexedConnection,
    _driver: AbortOnDropHandle<()>,
}

impl CommandLink {
    /// Asks one command, once. Those that are asked in turn are written in turn.
    pub(in crate::redis) async fn ask(&self, command: &Cmd) -> Result<Value, RedisError> {
        command.query_async(&mut self.connection.clone()).await
    }
}

impl RedisDialer {
    /// A connection for commands; `end` is told when it is gone.
    pub(in crate::redis) async fn commands(
        &self,
        address: &ServerAddress,
        end: SessionEnd,
    ) -> Result<CommandLink, RedisError> {
        let settings = self.settings();
        let opened = async {
            let stream = self.stream(address).await?;
            let reason = format!("Redis at {address} closed a connection for commands");
            let config = AsyncConnectionConfig::new()
                .set_response_timeout(Some(RESPONSE))
                .set_push_sender(move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        end.because(&reason);
                    }
                    Ok::<(), ()>(())
                });
            MultiplexedConnection::new_with_config(&settings, stream, config).await
        };
        let (connection, driver) = timeout(CONNECT, opened).await.map_err(late)??;
        Ok(CommandLink {
            connection,
            _driver: AbortOnDropHandle::new(tokio::spawn(driver)),
        })
    }

    /// A connection whose frames the caller reads.
    pub(in crate::redis) async fn frames(
        &self,
        address: &ServerAddress,
    ) -> Result<SocketFrames, RedisError> {
        let opened = async {
            let mut frames = ValueCodec::default().framed(self.stream(address).await?);
            let mut hello = redis::cmd("HELLO");
            hello.arg(3);
            if let Some(password) = &self.login.password {
                let user = self.login.user.as_deref().unwrap_or("default");
                hello.arg("AUTH").arg(user).arg(password.reveal());
            }
            frames.send(hello.get_packed_command()).await?;
            let answer = frames.next().await.ok_or_else(closed)??;
            answer.extract_error().map(|_: Value| frames)
        };
        timeout(CONNECT, opened).await.map_err(late)?
    }

    /// How redis-rs is to introduce itself.
    pub(in crate::redis) fn settings(&self) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name()
            .set_db(self.database);
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password.reveal());
        }
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        settings
    }

    async fn stream(&self, address: &ServerAddress) -> io::Result<Pin<Box<dyn SocketIo>>> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        let local_ip = stream.local_addr()?.ip();
        *self.local_ip.lock().unwrap_or_else(PoisonError::into_inner) = Some(local_ip);
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30));
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::pin(stream));
        };
        let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        Ok(Box::pin(connector.connect(name, stream).await?))
    }
}

fn closed() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn late(_: tokio::time::error::Elapsed) -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
