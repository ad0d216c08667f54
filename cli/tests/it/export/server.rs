//! An HTTP/1.1 server of one thread a connection, which can leave a request without an answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request, with its body.
pub struct MockRequest {
    pub method: String,
    /// The path, with the query.
    pub target: String,
    /// In lower case, the value as it is.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What becomes of a request.
pub enum MockReply {
    /// An answer: status, further header lines, body.
    Answer(u16, String, String),
    /// The connection is closed without an answer.
    Cut,
}

impl MockRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Serves until the process ends. Gives the address.
pub fn serve(handle: impl Fn(MockRequest) -> MockReply + Send + Sync + 'static) -> String {
    serve_with(None, handle)
}

/// As [`serve`], behind TLS if there is a configuration for it.
pub fn serve_with(
    tls: Option<Arc<ServerConfig>>,
    handle: impl Fn(MockRequest) -> MockReply + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (handle, tls) = (Arc::clone(&handle), tls.clone());
            // It ends with an error when the peer is killed.
            thread::spawn(move || match tls {
                Some(tls) => {
                    let connection = ServerConnection::new(tls).unwrap();
                    drop(talk(StreamOwned::new(connection, stream), &*handle));
                }
                None => drop(talk(stream, &*handle)),
            });
        }
    });
    address
}

fn talk(stream: impl Read + Write, handle: &dyn Fn(MockRequest) -> MockReply) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let MockReply::Answer(status, headers, body) = handle(request) else {
            break;
        };
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} \r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<MockRequest>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next(), words.next());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(Ok(0), |(_, value)| value.parse());
    let mut body = vec![0; length.map_err(io::Error::other)?];
    reader.read_exact(&mut body)?;
    Ok(Some(MockRequest {
        method: method.unwrap_or_default(),
        target: target.unwrap_or_default(),
        headers,
        body: String::from_utf8(body).map_err(io::Error::other)?,
    }))
}
