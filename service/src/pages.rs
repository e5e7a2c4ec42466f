//! The child `http`: serves the pages of [`crate::http`] from threads of their own.
//!
//! Failure: an address that cannot be had, or a server that ends, is a failed child; when that happens again and
//! again the root gives up and the process ends.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use supervision::{ChildContext, Stop};
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::http::{self, Sources};

/// Serves the pages.
pub(crate) struct HttpPages {
    listen: SocketAddr,
    sources: Sources,
    admin: Option<Arc<Admin>>,
    context: ChildContext,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl HttpPages {
    /// Pages on `listen`.
    pub(crate) fn new(
        listen: SocketAddr,
        sources: Sources,
        admin: Option<Arc<Admin>>,
        context: ChildContext,
    ) -> Self {
        let stop = context.ended().child_token();
        Self { listen, sources, admin, context, stop, served: None }
    }
}

impl Actor for HttpPages {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let mut pages = match http::serve_with(self.listen, self.sources.clone(), self.admin.clone()) {
            Ok(pages) => pages,
            Err(error) => return self.context.fail(telemetry::chain(&error)),
        };
        // for whoever started this process; nobody may be listening any more
        let _closed = writeln!(std::io::stdout(), "{}", pages.ready_line());
        let (stop, context) = (self.stop.clone(), self.context.clone());
        self.served =
            Some(tokio::spawn(async move {
                let ended = tokio::select! {
                    ended = pages.ended() => ended,
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
