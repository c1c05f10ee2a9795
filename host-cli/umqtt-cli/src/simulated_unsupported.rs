//! In the place of `simulated` on systems where the simulated board cannot run: says so.

use board_link::{Lang, Transport};
use board_sim::SimError;

use crate::broker_choice::StandIn;
use crate::display::Sender;
use crate::failure::{Failure, Status};
use crate::stop::Stop;

/// The laboratory has real boards only.
pub fn maker(_: &Stop, _: Lang) -> Result<Option<lab::Maker>, Failure> {
    Ok(None)
}

/// A simulated board, of which there is none here.
pub enum Simulated {}

impl Simulated {
    /// Fails with what to do instead.
    pub fn start(
        broker: Option<StandIn>,
        _: &Sender,
        _: &Stop,
        lang: Lang,
    ) -> Result<Self, Failure> {
        // Nothing here has host names that could lead anywhere.
        let _ = broker.map(|StandIn { tcp, tls }| (tcp, tls));
        let error = SimError::Unsupported;
        Err(Failure::complete(
            Status::NoBoard,
            lang.pick(error.to_string(), error.to_spanish()),
        ))
    }

    /// Fails as [`Simulated::start`] does.
    pub fn one_of_many(_: &Stop, lang: Lang) -> Result<Self, Failure> {
        let error = SimError::Unsupported;
        Err(Failure::complete(
            Status::NoBoard,
            lang.pick(error.to_string(), error.to_spanish()),
        ))
    }

    /// Never called: there is no value of this type.
    pub fn open(&self, _: Lang) -> Result<Box<dyn Transport>, Failure> {
        match *self {}
    }
}
