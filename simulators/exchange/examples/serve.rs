//! The simulator as a process of its own, without the product around it:
//! `cargo run -p simulator-exchange --example serve -- --mailboxes 3 --listen 127.0.0.1:8080`.
//! Every option has the meaning of the field of `Options` with the same name.

use std::error::Error;
use std::time::Duration;

use simulator_exchange::{Options, run};

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options { ends_by_signal: true, ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--listen" => options.listen = value()?.parse()?,
            "--mailboxes" => options.mailboxes = value()?.parse()?,
            "--domain" => options.domain = value()?,
            "--user" => options.user = value()?,
            "--password" => options.password = value()?,
            "--accounts" => options.accounts = value()?.parse()?,
            "--groups" => options.groups = value()?.parse()?,
            "--calendars" => options.calendars = Some(value()?.into()),
            "--capture" => options.capture = Some(value()?.into()),
            "--zone" => options.zone = value()?,
            "--heartbeat-ms" => options.heartbeat = Duration::from_millis(value()?.parse()?),
            "--stream-minute-ms" => options.stream_minute = Duration::from_millis(value()?.parse()?),
            _ => return Err(format!("no option {name}").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(options))?;
    Ok(())
}
