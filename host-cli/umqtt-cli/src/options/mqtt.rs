//! Decides what may be written behind `umqtt broker`, `monitor`, `pub` and `sub`. The texts here are the English help;
//! `usage/mqtt.rs` holds the Spanish one.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::options::network::NetworkOptions;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BrokerOptions {
    #[command(subcommand)]
    pub command: Option<BrokerCommand>,

    /// The address to listen on: IP:PORT, localhost:PORT or PORT; for MQTT and, at /mqtt, MQTT in WebSockets.
    /// Default: 127.0.0.1:1883
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,

    /// Let the boards of the local network reach it, and announce it by mDNS as umqtt.local; the computer's address
    /// may be named
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub lan: Option<String>,

    /// Who may connect: a file of `umqtt broker passwd`, or of Mosquitto
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Let clients in that give no user, from other computers too
    #[arg(long)]
    pub anonymous: bool,

    /// Offer the same over TLS, on port 8883 or PORT; without --cert, with a certificate made for that
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "8883")]
    pub tls: Option<u16>,

    /// The certificate for --tls in PEM, with those between it and its authority
    #[arg(long, value_name = "FILE", requires_all = ["tls", "key"])]
    pub cert: Option<PathBuf>,

    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// A web page that may open WebSockets, such as https://www.hivemq.com, or * for all; those of this computer may
    /// anyway. May be given more than once
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub origins: Vec<String>,

    /// Keep retained messages and persistent sessions in this folder, so that they outlive the broker
    #[arg(long, value_name = "FOLDER")]
    pub persist: Option<PathBuf>,

    /// Clients that may be connected at a time. Default: 500
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_clients: Option<u32>,

    /// The largest packet that is taken, in bytes. Default: 16777216
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(128..=268_435_455))]
    pub max_packet: Option<u32>,

    /// Messages that a client may publish in a second; one that has more is slowed. Default: any number
    #[arg(long, value_name = "N")]
    pub max_rate: Option<NonZeroU32>,

    /// Messages of QoS 1 and 2 that may wait for one client. Default: 100000
    #[arg(long, value_name = "N")]
    pub max_queued: Option<u32>,

    #[command(flatten)]
    pub network: NetworkOptions,
}

#[derive(Debug, Subcommand)]
pub enum BrokerCommand {
    /// Add a user to a password file, change the password, or remove the user
    Passwd(PasswdOptions),
}

#[derive(Debug, Args)]
pub struct PasswdOptions {
    /// The password file, Mosquitto's form; made where there is none
    pub file: PathBuf,

    /// The user
    pub user: String,

    /// The password, with -b; without, it is asked for, or read from standard input
    #[arg(requires = "batch")]
    pub password: Option<String>,

    /// Remove the user
    #[arg(short = 'D', long, conflicts_with_all = ["batch", "anew", "password"])]
    pub delete: bool,

    /// Begin the file anew: whoever was in it is gone
    #[arg(short = 'c', long = "create")]
    pub anew: bool,

    /// Take the password from the command line, where others may see it
    #[arg(short = 'b', long)]
    pub batch: bool,
}

#[derive(Debug, Args)]
pub struct MonitorOptions {
    /// The broker: [mqtt[s]://][user[:password]@]host[:port]. Default: 127.0.0.1:1883
    pub broker: Option<String>,

    /// The authorities that TLS trusts, in PEM; without, those of this computer
    #[arg(long, value_name = "FILE")]
    pub cafile: Option<PathBuf>,
}

/// How `pub` and `sub` reach a broker, in the letters of Mosquitto's clients.
#[derive(Debug, Args)]
pub struct ClientOptions {
    /// The broker's host name or address. Default: localhost
    #[arg(short = 'h', long, value_name = "HOST")]
    pub host: Option<String>,

    /// The port. Default: 1883, with TLS 8883
    #[arg(short = 'p', long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub tcp_port: Option<u16>,

    /// All in one: mqtt[s]://[user[:password]@]host[:port]/topic
    #[arg(short = 'L', long, value_name = "URL", conflicts_with_all = ["host", "tcp_port", "user", "password"])]
    pub url: Option<String>,

    /// The user
    #[arg(short = 'u', long = "username", value_name = "USER")]
    pub user: Option<String>,

    /// The user's password; others on this computer can see it on the command line
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", requires = "user")]
    pub password: Option<String>,

    /// The client identifier. Default: one that nobody else has
    #[arg(short = 'i', long, value_name = "ID")]
    pub id: Option<String>,

    /// What the client identifier begins with; the number of the process follows
    #[arg(short = 'I', long, value_name = "PREFIX", conflicts_with = "id")]
    pub id_prefix: Option<String>,

    /// Keep alive in seconds. Default: 60
    #[arg(short = 'k', long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    pub keepalive: Option<u16>,

    /// A session that outlives the connection, no clean one; needs -i
    #[arg(short = 'c', long = "disable-clean-session", requires = "id")]
    pub persistent: bool,

    /// The quality of service: 0, 1 or 2. Default: 0
    #[arg(short = 'q', long, value_name = "QOS", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: Option<u8>,

    /// The version of MQTT; only mqttv311 is spoken
    #[arg(short = 'V', long, value_name = "VERSION", value_parser = ["mqttv311", "311"])]
    pub protocol_version: Option<String>,

    /// Show on standard error each packet that is sent or received
    #[arg(short = 'd', long)]
    pub debug: bool,

    /// Print no errors
    #[arg(long)]
    pub quiet: bool,

    /// TLS that trusts the authorities in this file, in PEM
    #[arg(long, value_name = "FILE")]
    pub cafile: Option<PathBuf>,

    /// TLS that trusts the authorities in the files of this folder
    #[arg(long, value_name = "FOLDER")]
    pub capath: Option<PathBuf>,

    /// TLS that trusts what this computer trusts
    #[arg(long)]
    pub tls_use_os_certs: bool,

    /// A certificate of this client's own, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Let the certificate be for another host; its authority is checked all the same
    #[arg(long, requires = "cafile")]
    pub insecure: bool,

    /// The version of TLS: tlsv1.2 or tlsv1.3. Default: the newest that both know
    #[arg(long, value_name = "VERSION", value_parser = ["tlsv1.2", "tlsv1.3"])]
    pub tls_version: Option<String>,

    /// Where the broker publishes the will when the connection breaks
    #[arg(long, value_name = "TOPIC")]
    pub will_topic: Option<String>,

    /// The will's text. Default: empty
    #[arg(long, value_name = "TEXT", requires = "will_topic")]
    pub will_payload: Option<String>,

    /// The will's quality of service. Default: 0
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub will_qos: Option<u8>,

    /// Retain the will
    #[arg(long, requires = "will_topic")]
    pub will_retain: bool,

    /// Taken and done anyway: packets are sent at once
    #[arg(long)]
    pub nodelay: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").args(["message", "file", "lines", "null", "stdin"]).required(true))]
pub struct PubOptions {
    #[command(flatten)]
    pub client: ClientOptions,

    /// The topic to publish to
    #[arg(
        short = 't',
        long,
        value_name = "TOPIC",
        required_unless_present = "url",
        conflicts_with = "url"
    )]
    pub topic: Option<String>,

    /// The message
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    pub message: Option<String>,

    /// The message is what this file holds
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Each line of standard input is a message
    #[arg(short = 'l', long = "stdin-line")]
    pub lines: bool,

    /// An empty message
    #[arg(short = 'n', long = "null-message")]
    pub null: bool,

    /// The message is all of standard input
    #[arg(short = 's', long = "stdin-file")]
    pub stdin: bool,

    /// The broker retains the message
    #[arg(short = 'r', long)]
    pub retain: bool,

    /// Publish the message N times
    #[arg(long, value_name = "N", conflicts_with = "lines", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,

    /// Seconds between these
    #[arg(long, value_name = "SECONDS", requires = "repeat", value_parser = crate::options::seconds)]
    pub repeat_delay: Option<std::time::Duration>,

    /// Messages of QoS 1 and 2 on their way at a time. Default: 20
    #[arg(short = 'M', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_inflight: Option<u16>,
}

#[derive(Debug, Args)]
pub struct SubOptions {
    #[command(flatten)]
    pub client: ClientOptions,

    /// A topic filter to subscribe to; may be given more than once
    #[arg(short = 't', long = "topic", value_name = "FILTER", required_unless_present_any = ["url", "unsubscribe"])]
    pub topics: Vec<String>,

    /// Print each topic before its message
    #[arg(short = 'v', long = "verbose")]
    pub with_topic: bool,

    /// The form of what is printed: %t topic, %p message, %q QoS, %r retained, %l length, %m packet identifier,
    /// %x message in hexadecimal, %j JSON, %J JSON with the message as JSON, %I time, %U seconds since 1970, @H:@M:@S
    /// hours, minutes, seconds and so on
    #[arg(short = 'F', long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub format: Option<String>,

    /// End after N messages
    #[arg(short = 'C', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after this many seconds, with status 27
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = crate::options::seconds)]
    pub timeout: Option<std::time::Duration>,

    /// Print no line end after a message
    #[arg(short = 'N', long = "no-eol")]
    pub no_line_end: bool,

    /// Do not print retained messages
    #[arg(short = 'R', long = "no-retained", conflicts_with = "retained_only")]
    pub no_retained: bool,

    /// Print retained messages only, and end with the first other one
    #[arg(long)]
    pub retained_only: bool,

    /// Clear the retained messages that come
    #[arg(long)]
    pub remove_retained: bool,

    /// Do not print messages whose topic fits this filter; may be given more than once
    #[arg(short = 'T', long = "filter-out", value_name = "FILTER")]
    pub filter_out: Vec<String>,

    /// Unsubscribe from this filter; may be given more than once
    #[arg(short = 'U', long, value_name = "FILTER")]
    pub unsubscribe: Vec<String>,

    /// End when the broker has confirmed all subscriptions
    #[arg(short = 'E', long)]
    pub exit_after_subscribing: bool,
}
