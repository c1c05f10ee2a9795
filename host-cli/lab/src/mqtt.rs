//! The laboratory's broker, its own or an outside one: where boards find it, and what pages see of it and do with it.

mod client;
mod embedded;
mod outside;
mod tell;

use std::net::SocketAddr;
use std::sync::Arc;

use broker::BrokerError;

use crate::view::View;
use crate::words::Words;
use embedded::Embedded;
use outside::Outside;

pub use client::Message;
pub use embedded::{EmbeddedBroker, Secure};
pub use outside::OutsideBroker;

/// Which broker a laboratory has.
#[derive(Debug, Clone)]
pub enum LabBroker {
    /// One of its own, which ends with it.
    Embedded(EmbeddedBroker),
    /// One that somebody else runs.
    Outside(Box<OutsideBroker>),
}

/// The broker.
pub enum Mqtt {
    Embedded(Box<Embedded>),
    Outside(Box<Outside>),
}

impl Mqtt {
    /// Starts it, or begins to watch it.
    ///
    /// # Errors
    /// Where the own one cannot listen at all.
    pub fn start(wanted: LabBroker) -> Result<(Arc<View>, Self), BrokerError> {
        Ok(match wanted {
            LabBroker::Embedded(wanted) => {
                let (view, embedded) = Embedded::start(wanted)?;
                (view, Self::Embedded(Box::new(embedded)))
            }
            LabBroker::Outside(wanted) => {
                let (view, outside) = Outside::start(*wanted);
                (view, Self::Outside(Box::new(outside)))
            }
        })
    }

    /// Where simulated boards are led, through their networks.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Embedded(broker) => broker.address(),
            Self::Outside(broker) => broker.address(),
        }
    }

    /// The same for TLS.
    pub fn secure(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(broker) => broker.secure(),
            Self::Outside(broker) => broker.secure(),
        }
    }

    /// Stops the broker or starts it again, as a page wants it.
    ///
    /// # Errors
    /// In words: it is somebody else's, or its port is by now.
    pub fn set_running(&self, running: bool) -> Result<(), Words> {
        match (self, running) {
            (Self::Embedded(broker), true) => broker.start_again(),
            (Self::Embedded(broker), false) => {
                broker.stop();
                Ok(())
            }
            (Self::Outside(_), _) => Err(Words::new(
                "this broker is somebody else's: it cannot be stopped or started here",
                "este broker es de otro: aquí no se puede parar ni arrancar",
            )),
        }
    }

    /// Tells the pages who is there; of an outside broker nobody knows.
    pub fn tell_state(&self) {
        if let Self::Embedded(broker) = self {
            broker.tell_state();
        }
    }

    /// Publishes a message as a client of its own.
    ///
    /// # Errors
    /// In words, where the broker is stopped or cannot be reached.
    pub fn publish(&self, message: Message) -> Result<(), Words> {
        match self {
            Self::Embedded(broker) => broker.publish(message),
            Self::Outside(broker) => broker.publish(message),
        }
    }

    /// Ends what was started.
    pub fn end(&self) {
        match self {
            Self::Embedded(broker) => broker.stop(),
            Self::Outside(broker) => broker.end(),
        }
    }
}
