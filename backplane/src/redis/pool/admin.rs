//! Commands off the hot path: a small pool for one server. Slow ones there delay nobody.

use std::time::Duration;

use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue,
    IntoConnectionInfo, RedisResult, TlsCertificates,
};

use super::client_certificate::ClientCertificate;
use super::dialer::RedisDialer;
use crate::redis::config::{CONNECT, RESPONSE};
use crate::redis::error::ConnectError;
use crate::redis::topology::address::ServerAddress;

/// Connections of the pool; they are made when they are needed.
const CONNECTIONS: usize = 2;

/// A server, for administration.
pub(in crate::redis) struct AdminPool {
    address: ServerAddress,
    pool: Pool,
}

impl AdminPool {
    /// Errors: the address is none.
    pub(in crate::redis) fn new(
        dialer: &RedisDialer,
        address: &ServerAddress,
    ) -> Result<Self, ConnectError> {
        let refused = |reason: String| refused(address, reason);
        let (host, port) = (address.host.clone(), address.port);
        let connection = match &dialer.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(tls) => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: tls.insecure,
                tls_params: None,
            },
        };
        let client = dialer.tls.as_ref().and_then(|tls| tls.client.as_ref());
        let info = connection
            .into_connection_info()
            .and_then(|info| with_certificate(info, client))
            .map_err(|error| refused(error.to_string()))?
            .set_redis_settings(dialer.settings());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE));
        let manager =
            Manager::new_with_config(info, config).map_err(|error| refused(error.to_string()))?;
        let limit: Option<Duration> = Some(CONNECT);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(limit)
            .create_timeout(limit)
            .recycle_timeout(limit)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let address = address.clone();
        Ok(Self { address, pool })
    }

    /// Asks one command.
    pub(in crate::redis) async fn ask<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, ConnectError> {
        let connection = self.pool.get().await;
        let mut connection = connection.map_err(|error| match error {
            PoolError::Backend(error) => ConnectError::of(&self.address, &error),
            error @ (PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_)) => refused(&self.address, error.to_string()),
        })?;
        let answer = command.query_async(&mut connection).await;
        answer.map_err(|error| ConnectError::of(&self.address, &error))
    }
}

/// redis-rs takes a client's certificate only where it makes a client of its own.
fn with_certificate(
    info: ConnectionInfo,
    certificate: Option<&ClientCertificate>,
) -> RedisResult<ConnectionInfo> {
    let Some(certificate) = certificate else {
        return Ok(info);
    };
    let certificates = TlsCertificates {
        client_tls: Some(certificate.pem.clone()),
        root_cert: None,
    };
    let client = Client::build_with_tls(info, certificates)?;
    Ok(client.get_connection_info().clone())
}

fn refused(address: &ServerAddress, reason: String) -> ConnectError {
    let address = address.clone();
    ConnectError::Refused { address, reason }
}
