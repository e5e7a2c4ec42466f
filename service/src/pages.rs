//! The children `http` and `admin`: each keeps a listener open.
//!
//! Failure: an address that cannot be had, or a listener that ends, is a failed child; when that happens again and
//! again the root gives up and the process ends.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use base::SharedClock;
use supervision::{ChildContext, Stop};
use tokio_util::sync::CancellationToken;

use crate::ServiceError;
use crate::admin::{AdminCalls, AdminListener};
use crate::http::server::Pages;
use crate::http::{self, Sources};

/// What a child serves.
#[derive(Clone)]
pub(crate) enum Served {
    /// Health and metrics.
    Pages(SocketAddr, Sources),
    /// The admin calls.
    Admin(Arc<AdminListener>, AdminCalls, SharedClock),
}

impl Served {
    fn open(&self) -> Result<Pages, ServiceError> {
        match self {
            Self::Pages(listen, sources) => http::serve(*listen, sources.clone()),
            Self::Admin(listener, calls, _) => listener.serve(calls),
        }
    }

    /// What is to be done as long as it is open.
    async fn keep(self) {
        match self {
            Self::Pages(..) => std::future::pending().await,
            Self::Admin(listener, _, clock) => listener.keep(clock).await,
        }
    }
}

/// Serves it.
pub(crate) struct HttpPages {
    what: Served,
    context: ChildContext,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl HttpPages {
    /// A listener for `what`.
    pub(crate) fn new(what: Served, context: ChildContext) -> Self {
        let stop = context.ended().child_token();
        Self { what, context, stop, served: None }
    }
}

impl Actor for HttpPages {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let mut pages = match self.what.open() {
            Ok(pages) => pages,
            Err(error) => return self.context.fail(telemetry::chain(&error)),
        };
        // for whoever started this process; nobody may be listening any more
        let _closed = writeln!(std::io::stdout(), "{}", pages.ready_line());
        let (stop, context, what) = (self.stop.clone(), self.context.clone(), self.what.clone());
        self.served =
            Some(tokio::spawn(async move {
                let ended = tokio::select! {
                    ended = pages.ended() => ended,
                    () = what.keep() => Ok(()),
                    () = stop.cancelled() => {
                        let _ = pages.stop().await;
                        return;
                    }
                };
                context.fail(ended.err().map_or_else(
                    || "the pages ended".to_owned(),
                    |error| telemetry::chain(&error).to_string(),
                ));
            }));
    }
}

impl Handler<Stop> for HttpPages {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stop.cancel();
        let served = self.served.take();
        let wait = async move {
            if let Some(served) = served {
                let _ = served.await;
            }
        };
        Box::pin(wait.into_actor(self).map(|(), _, ctx| ctx.stop()))
    }
}
