//! One open page: what it is told, and what becomes of what it says.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use board_link::Lang;
use tokio::sync::broadcast::error::RecvError;

use crate::examples;
use crate::laboratory::{Laboratory, ports};
use crate::protocol::{FromPage, Level, ToPage};
use crate::view::{Outgoing, encode};
use crate::words::Words;

/// Serves a page until it goes.
pub async fn serve(mut socket: WebSocket, laboratory: &Arc<Laboratory>) {
    // Whoever fails to be told has gone.
    let _ = converse(&mut socket, laboratory).await;
}

async fn converse(socket: &mut WebSocket, laboratory: &Arc<Laboratory>) -> Result<(), axum::Error> {
    let mut lang = laboratory.lang();
    let mut news = greet(socket, laboratory, lang).await?;
    loop {
        tokio::select! {
            message = news.recv() => match message {
                Ok(message) => send(socket, message.text(lang)).await?,
                // It did not keep up (a laptop that slept): the picture is drawn anew.
                Err(RecvError::Lagged(_)) => news = greet(socket, laboratory, lang).await?,
                Err(RecvError::Closed) => return Ok(()),
            },
            message = socket.recv() => {
                let Some(message) = message else { return Ok(()) };
                let answer = match message? {
                    Message::Text(text) => hear(&text, laboratory, &mut lang),
                    Message::Close(_) => return Ok(()),
                    Message::Binary(_) => Err(Words::new(
                        "a page sends texts, not bytes",
                        "una página envía textos, no bytes",
                    )),
                    Message::Ping(_) | Message::Pong(_) => Ok(()),
                };
                if let Err(words) = answer {
                    let notice = Outgoing::Notice { level: Level::Error, board: None, words };
                    send(socket, notice.text(lang)).await?;
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, text: String) -> Result<(), axum::Error> {
    socket.send(Message::Text(text.into())).await
}

type News = tokio::sync::broadcast::Receiver<Arc<Outgoing>>;

/// Tells a page how everything is; what changes from then on comes from what is returned.
async fn greet(
    socket: &mut WebSocket,
    laboratory: &Arc<Laboratory>,
    lang: Lang,
) -> Result<News, axum::Error> {
    // The list of ports asks the system; on a page's way in that may take its milliseconds.
    let ports = tokio::task::spawn_blocking(ports).await.unwrap_or_default();
    let joined = laboratory.view().join();
    let hello = ToPage::Hello {
        version: env!("CARGO_PKG_VERSION"),
        lang: lang.pick("en", "es"),
        embedded: !joined.broker.external,
        broker: joined.broker,
        boards: joined.boards,
        examples: examples::list(),
        ports,
    };
    send(socket, encode(&hello)).await?;
    for message in joined.rest {
        send(socket, message).await?;
    }
    Ok(joined.news)
}

/// Does what a page asks for.
///
/// # Errors
/// In words, where it makes no sense or cannot be done at once.
fn hear(text: &str, laboratory: &Arc<Laboratory>, lang: &mut Lang) -> Result<(), Words> {
    let message: FromPage = serde_json::from_str(text).map_err(|error| {
        Words::new(
            format!("the page sent a message that is none: {error}"),
            format!("la página envió un mensaje que no lo es: {error}"),
        )
    })?;
    if let FromPage::Lang { lang: wanted } = &message {
        *lang = wanted.parse().map_err(|_| {
            Words::new(
                format!("the laboratory does not speak {wanted:?}: en or es"),
                format!("el laboratorio no habla {wanted:?}: en o es"),
            )
        })?;
        return Ok(());
    }
    laboratory.hear(message)
}
