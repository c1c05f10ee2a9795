//! Decides how sessions and retained messages outlive the broker: as a log of what changed, written before anybody is
//! told that it did.
//!
//! The log is one file. It begins with `MAGIC`; then come records, each what one packet changed:
//!
//! ```text
//! | length, u32 | CRC-32 of the length, u32 | CRC-32 of the body, u32 | body: the changes, as postcard writes them |
//! ```
//!
//! A record is written by one call before the packet is answered, so a broker that is killed at any moment leaves at most
//! the begin of one record behind, and nobody was told of that one. Such a rest is cut off. Anything else that is not as
//! it was written is damage, and the broker does not start on it: it would forget what it has promised to keep.
//!
//! Once a second what was written is also forced to the disk, so that a computer that loses its power loses a second.
//! When the log has grown far beyond what it describes, a new one with the state as it is takes its place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How the file begins; the number is that of its form.
const MAGIC: &[u8] = b"umqtt broker 1\n";

const LOG: &str = "sessions";
const NEW_LOG: &str = "sessions.new";
const LOCK: &str = "lock";

/// Bytes in front of a record's body.
const HEAD: usize = 12;

/// The largest body: one PUBLISH of the largest size that MQTT has, and a queue for every client.
const MAX_BODY: usize = 512 << 20;

/// The log is written anew when it has this many bytes more than twice what it then had.
const SLACK: u64 = 8 << 20;

/// One change of what is kept. Clients are named by their client identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// A topic's retained message; an empty one clears it.
    Retain {
        topic: String,
        qos: u8,
        payload: Bytes,
    },
    /// A session begins, or goes on for this user.
    Begin {
        client: Arc<str>,
        owner: Option<String>,
    },
    Forget {
        client: Arc<str>,
    },
    Subscribe {
        client: Arc<str>,
        filter: String,
        qos: u8,
    },
    Unsubscribe {
        client: Arc<str>,
        filter: String,
    },
    /// A message waits for these clients, with the QoS for each.
    Queue {
        topic: String,
        payload: Bytes,
        retain: bool,
        clients: Vec<(Arc<str>, u8)>,
    },
    /// The first message that waited is on its way with this packet identifier.
    Sent {
        client: Arc<str>,
        packet_id: u16,
    },
    /// PUBACK came.
    Acknowledged {
        client: Arc<str>,
        packet_id: u16,
    },
    /// PUBREC came.
    ReceivedByClient {
        client: Arc<str>,
        packet_id: u16,
    },
    /// PUBCOMP came.
    Completed {
        client: Arc<str>,
        packet_id: u16,
    },
    /// PUBREL is on its way, for a message that is no longer kept.
    Releasing {
        client: Arc<str>,
        packet_id: u16,
    },
    /// A QoS 2 message came from the client.
    Received {
        client: Arc<str>,
        packet_id: u16,
    },
    /// The client released it.
    Released {
        client: Arc<str>,
        packet_id: u16,
    },
}

/// Why what was kept cannot be had, or nothing can be kept.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A second broker on the same folder.
    #[error("another broker keeps its sessions in {}", folder.display())]
    InUse { folder: PathBuf },
    /// The file does not begin as it should: it is another program's, or a newer umqtt's.
    #[error("{} holds no sessions that this version can read", path.display())]
    Unknown { path: PathBuf },
    #[error("{} is damaged at byte {at}", path.display())]
    Damaged { path: PathBuf, at: usize },
}

/// The open log.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    /// Held as long as this broker runs.
    _lock: File,
    file: File,
    /// Bytes in the file, all of whole records.
    length: u64,
    /// What `length` was when the log was last written anew.
    fresh: u64,
    /// Changes that are not written yet.
    pending: Vec<Change>,
    /// Something was written that was not forced to the disk yet.
    dirty: bool,
}

impl Store {
    /// Opens the log in `folder`, which is made where there is none, and reads all changes since its begin.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Vec<Change>), StoreError> {
        let path = folder.join(LOG);
        let write = |path: &Path, source| StoreError::Write {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(|source| write(folder, source))?;
        let lock_path = folder.join(LOCK);
        let lock = private()
            .open(&lock_path)
            .map_err(|source| write(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    folder: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(write(&lock_path, source)),
        }
        // One that was being written when its broker was killed; the old one is still there.
        let _ = fs::remove_file(folder.join(NEW_LOG));
        let mut file = private()
            .open(&path)
            .map_err(|source| write(&path, source))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|source| StoreError::Read {
                path: path.clone(),
                source,
            })?;
        let (changes, whole) = read(&bytes).map_err(|fault| match fault {
            Fault::Unknown => StoreError::Unknown { path: path.clone() },
            Fault::Damaged(at) => StoreError::Damaged {
                path: path.clone(),
                at,
            },
        })?;
        let mut store = Self {
            folder: folder.to_owned(),
            _lock: lock,
            file,
            length: whole as u64,
            fresh: 0,
            pending: Vec::new(),
            dirty: true,
        };
        if whole == 0 {
            store.replace(&[])?;
        } else {
            store.cut(&path)?;
        }
        Ok((store, changes))
    }

    /// Cuts off what is behind the last whole record.
    fn cut(&mut self, path: &Path) -> Result<(), StoreError> {
        self.file
            .set_len(self.length)
            .map_err(|source| StoreError::Write {
                path: path.to_owned(),
                source,
            })
    }

    /// Notes a change, which `commit` writes.
    pub(crate) fn note(&mut self, change: Change) {
        self.pending.push(change);
    }

    /// Writes the changes that were noted, all or none; what they are the consequence of may then be answered.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.pending);
        let path = self.folder.join(LOG);
        let failed = |source| StoreError::Write { path, source };
        let record = record(&changes).map_err(failed)?;
        let path = self.folder.join(LOG);
        if let Err(source) = self.file.write_all(&record) {
            // A part of it may be there; the next start would cut it off as well.
            let _ = self.cut(&path);
            return Err(StoreError::Write { path, source });
        }
        self.length += record.len() as u64;
        self.dirty = true;
        Ok(())
    }

    /// Whether the log is much longer than what it describes.
    pub(crate) fn is_overgrown(&self) -> bool {
        self.length > 2 * self.fresh + SLACK
    }

    /// Puts a log with these changes only in the place of the old one.
    pub(crate) fn replace(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let (path, new) = (self.folder.join(LOG), self.folder.join(NEW_LOG));
        let written = (|| {
            // One that could not be finished may be there.
            if new.exists() {
                fs::remove_file(&new)?;
            }
            let mut file = private().open(&new)?;
            let mut length = MAGIC.len();
            file.write_all(MAGIC)?;
            for change in changes {
                let record = record(std::slice::from_ref(change))?;
                file.write_all(&record)?;
                length += record.len();
            }
            file.sync_all()?;
            fs::rename(&new, &path)?;
            #[cfg(unix)]
            File::open(&self.folder)?.sync_all()?;
            Ok((file, length as u64))
        })();
        let (file, length) = written.map_err(|source| StoreError::Write { path, source })?;
        self.file = file;
        (self.length, self.fresh) = (length, length);
        self.dirty = false;
        Ok(())
    }

    /// The file to force to the disk, where something new is in it.
    pub(crate) fn take_unsynced(&mut self) -> Option<File> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.file.try_clone().ok()
    }
}

/// A file that only its owner can read: messages are nobody else's.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// One record.
fn record(changes: &[Change]) -> io::Result<Vec<u8>> {
    let mut record = vec![0; HEAD];
    record = postcard::to_extend(changes, record).map_err(io::Error::other)?;
    let body = &record[HEAD..];
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() <= MAX_BODY)
        .ok_or_else(|| io::Error::other("more than a record can hold"))?
        .to_le_bytes();
    let body_sum = crc32fast::hash(body).to_le_bytes();
    record[..4].copy_from_slice(&length);
    record[4..8].copy_from_slice(&crc32fast::hash(&length).to_le_bytes());
    record[8..HEAD].copy_from_slice(&body_sum);
    Ok(record)
}

enum Fault {
    Unknown,
    /// At this byte.
    Damaged(usize),
}

/// All changes in a log, and how many of its bytes are whole records; 0 where not even its begin is whole.
fn read(bytes: &[u8]) -> Result<(Vec<Change>, usize), Fault> {
    if bytes.len() < MAGIC.len() && (MAGIC.starts_with(bytes) || is_unwritten(bytes)) {
        return Ok((Vec::new(), 0));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(Fault::Unknown);
    }
    let mut changes = Vec::new();
    let mut at = MAGIC.len();
    loop {
        let rest = &bytes[at..];
        let number = |place: usize| {
            let bytes = rest.get(place..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        // An empty rest is a log that ends well; one that is too short was cut by the end of its broker.
        let (Some(length), Some(length_sum), Some(body_sum)) = (number(0), number(4), number(8))
        else {
            return Ok((changes, at));
        };
        if is_unwritten(rest) {
            // A computer that lost its power may leave a file longer than what was written into it.
            return Ok((changes, at));
        }
        let length_is_right = crc32fast::hash(&length.to_le_bytes()) == length_sum;
        if !length_is_right || length as usize > MAX_BODY {
            return Err(Fault::Damaged(at));
        }
        let Some(body) = rest.get(HEAD..HEAD + length as usize) else {
            return Ok((changes, at));
        };
        if crc32fast::hash(body) != body_sum {
            return Err(Fault::Damaged(at));
        }
        let read: Vec<Change> = postcard::from_bytes(body).map_err(|_| Fault::Damaged(at))?;
        changes.extend(read);
        at += HEAD + length as usize;
    }
}

fn is_unwritten(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_changes() -> Vec<Change> {
        let client: Arc<str> = Arc::from("ñandú");
        vec![
            Change::Begin {
                client: Arc::clone(&client),
                owner: Some("ana".to_owned()),
            },
            Change::Subscribe {
                client: Arc::clone(&client),
                filter: "casa/#".to_owned(),
                qos: 2,
            },
            Change::Queue {
                topic: "casa/salón".to_owned(),
                payload: Bytes::from_static(b"\x00\xff21"),
                retain: false,
                clients: vec![(Arc::clone(&client), 1)],
            },
            Change::Sent {
                client,
                packet_id: 7,
            },
            Change::Retain {
                topic: "t".to_owned(),
                qos: 1,
                payload: Bytes::from_static(b"x"),
            },
        ]
    }

    fn written(folder: &Path) -> Vec<u8> {
        let (mut store, old) = Store::open(folder).expect("a new log");
        assert_eq!(old, []);
        for change in some_changes() {
            store.note(change);
            store.commit().expect("room on the disk");
        }
        fs::read(folder.join(LOG)).expect("the log")
    }

    #[test]
    fn a_log_that_ends_anywhere_gives_what_was_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = written(folder.path());
        let all = some_changes();
        let mut counts = Vec::new();
        for end in 0..=bytes.len() {
            for zeros in [0, 40] {
                let mut cut = bytes[..end].to_vec();
                let whole = end == bytes.len();
                // Zeros follow a whole record only: they are what was not written yet.
                if zeros > 0 && !whole {
                    continue;
                }
                cut.extend(vec![0; zeros]);
                fs::write(folder.path().join(LOG), &cut).expect("a file");
                let (mut store, changes) = Store::open(folder.path()).expect("a log");
                assert_eq!(changes, all[..changes.len()], "cut at {end}");
                counts.push(changes.len());
                // It goes on where it was cut.
                store.note(all[0].clone());
                store.commit().expect("room on the disk");
                drop(store);
                let (_, again) = Store::open(folder.path()).expect("a log");
                assert_eq!(again.len(), changes.len() + 1, "cut at {end}");
            }
        }
        assert!(counts.is_sorted() && counts.last() == Some(&all.len()));
    }

    #[test]
    fn any_wrong_byte_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = written(folder.path());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            fs::write(folder.path().join(LOG), &damaged).expect("a file");
            let error = Store::open(folder.path()).expect_err("damage");
            assert!(
                matches!(
                    error,
                    StoreError::Damaged { .. } | StoreError::Unknown { .. }
                ),
                "byte {at}: {error}"
            );
            // And the file is left as it was.
            assert_eq!(fs::read(folder.path().join(LOG)).expect("the log"), damaged);
        }
    }

    #[test]
    fn a_new_log_takes_the_place_of_the_old() {
        let folder = tempfile::tempdir().expect("a folder");
        written(folder.path());
        fs::write(folder.path().join(NEW_LOG), "begun").expect("a file");
        let (mut store, _) = Store::open(folder.path()).expect("a log");
        let one = some_changes().split_off(4);
        store.replace(&one).expect("room on the disk");
        store.note(one[0].clone());
        store.commit().expect("room on the disk");
        drop(store);
        let (_, changes) = Store::open(folder.path()).expect("a log");
        assert_eq!(changes, [one[0].clone(), one[0].clone()]);
    }

    #[test]
    fn two_brokers_do_not_share_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Store::open(folder.path()).expect("a log");
        assert!(matches!(
            Store::open(folder.path()),
            Err(StoreError::InUse { .. })
        ));
        drop(first);
        Store::open(folder.path()).expect("it is free again");
    }
}
