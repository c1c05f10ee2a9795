//! Decides whether a client that sent CONNECT comes in: by its user and password, and whether it may have none.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::Login;
use tokio::sync::Semaphore;
use tokio::{task, time};

use crate::users::Users;

/// Passwords tried at a time. Each takes a processor for some hundredths of a second, and the rest of the computer has
/// work to do.
const AT_A_TIME: usize = 2;

/// How long a wrong password waits for its answer, so that guessing is slow.
const WRONG_WAITS: Duration = Duration::from_secs(1);

pub(crate) struct Admission {
    users: Option<Arc<Users>>,
    anonymous: bool,
    tries: Semaphore,
}

impl Admission {
    pub(crate) fn new(users: Option<Arc<Users>>, anonymous: bool) -> Self {
        Self {
            users,
            anonymous,
            tries: Semaphore::new(AT_A_TIME),
        }
    }

    /// Whether the client with this login comes in. Without users to check it against, any login is as good as none.
    pub(crate) async fn admits(&self, login: Option<&Login>) -> bool {
        match (&self.users, login) {
            (None, _) => true,
            (Some(_), None) => self.anonymous,
            (Some(users), Some(login)) => {
                let (users, login) = (Arc::clone(users), login.clone());
                let right = {
                    // The semaphore is never closed.
                    let _turn = self.tries.acquire().await;
                    let trial = move || users.verify(&login.username, login.password.as_bytes());
                    // The broker's thread goes on meanwhile.
                    task::spawn_blocking(trial).await.unwrap_or(false)
                };
                if !right {
                    time::sleep(WRONG_WAITS).await;
                }
                right
            }
        }
    }
}
