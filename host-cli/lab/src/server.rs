//! Who may talk to the laboratory: pages of this computer's own address, and nobody else.
//!
//! The port is bound to the loopback, but any web page that the user visits can make the browser send requests there.
//! Two checks keep those out: `Host` must be the address that was bound (a name that an outsider lets lead to 127.0.0.1
//! is another host), and a WebSocket needs the `Origin` of the laboratory's own page. No answer carries a CORS header.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::assets;
use crate::laboratory::Laboratory;
use crate::page;

/// The largest message from a page, in bytes: a program and its files.
const MESSAGE_LIMIT: usize = 1 << 20;

/// Pages that may be open at a time.
const PAGES: usize = 16;

/// Only what is embedded, no frame around it. CodeMirror and Lit put their styles into the page themselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone)]
struct Service {
    laboratory: Arc<Laboratory>,
    /// What a browser may call this server: `127.0.0.1:8183`, `localhost:8183`.
    names: Arc<[String]>,
    pages: Arc<AtomicUsize>,
}

/// Serves pages on this thread until `stop` is dropped or sent to.
pub fn run(
    runtime: &tokio::runtime::Runtime,
    listener: std::net::TcpListener,
    address: SocketAddr,
    laboratory: Arc<Laboratory>,
    stop: oneshot::Receiver<()>,
) {
    let service = Service {
        laboratory,
        names: names(address),
        pages: Arc::default(),
    };
    let router = Router::new()
        .route("/ws", get(socket))
        .fallback(asset)
        .layer(middleware::from_fn_with_state(service.clone(), guard))
        .with_state(service);
    runtime.block_on(async {
        // The listener is known to be bound and non-blocking; registering it fails only where the runtime itself could
        // not have been made.
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        tokio::select! {
            _ = axum::serve(listener, router) => {}
            _ = stop => {}
        }
    });
}

fn names(address: SocketAddr) -> Arc<[String]> {
    let port = address.port();
    let mut names = vec![address.to_string(), format!("localhost:{port}")];
    if port == 80 {
        names.push(address.ip().to_string());
        names.push("localhost".to_owned());
    }
    names.into()
}

/// Lets a request pass that names this server, and says of every answer what a browser may do with it.
async fn guard(State(service): State<Service>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let named = host
        .and_then(|host| host.to_str().ok())
        .is_some_and(|host| (service.names.iter()).any(|name| name.eq_ignore_ascii_case(host)));
    let mut response = if named {
        next.run(request).await
    } else {
        refuse("this server answers to its own address only")
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    response
}

fn refuse(why: &'static str) -> Response {
    (StatusCode::FORBIDDEN, why).into_response()
}

/// A file of the page: those that are embedded are all there are.
async fn asset(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    match assets::page(path) {
        Some((media_type, content)) => {
            ([(header::CONTENT_TYPE, media_type)], content).into_response()
        }
        None if path.is_empty() => (
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            assets::NO_PAGE,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whether the WebSocket is opened by a page of this server.
fn is_own_page(headers: &HeaderMap, names: &[String]) -> bool {
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    let host = origin.and_then(|origin| origin.strip_prefix("http://"));
    host.is_some_and(|host| names.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

async fn socket(
    State(service): State<Service>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_own_page(&headers, &service.names) {
        return refuse("a WebSocket is for the laboratory's own page only");
    }
    let Some(place) = Place::take(&service.pages) else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many pages of this laboratory are open: close one",
        )
            .into_response();
    };
    upgrade
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        .on_upgrade(async move |socket| {
            page::serve(socket, &service.laboratory).await;
            drop(place);
        })
}

/// One of the places for pages; dropping it gives it back.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(taken));
        (place.0.fetch_add(1, Ordering::SeqCst) < PAGES).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
