//! The listener's tree on real PostgreSQL, against the Exchange simulator over sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use affinity_group::{GroupOptions, GroupTools, Listener, ListenerOptions, listener_spec};
use base::{Backoff, SystemClock};
use calendar::MailAddress;
use calendar::ids::AccountId;
use connector_exchange::{Account, BackOff, Exchange, ExchangeOptions, Reason};
use mailbox_subscriber::{SubscriberOptions, Tools};
use proto_ews::operation::{CreateItem, DeleteItem};
use proto_ews::{
    CalendarItem, DeleteType, FolderRef, FreeBusy, Impersonation, Item, ItemRef, Request, RequestEnvelope,
    Response, decode_response, encode_request,
};
use simulator_exchange::{Act, Fault, Options, Simulator};
use simulator_kit::FaultRule;
use store::lease::LeaseBook;
use store::shares::Shares;
use store::testing::{TestDatabase, database};
use store::wake::Wake;
use supervision::{ChildRef, Ended, Intensity, Strategy, SupervisorSpec, Tree};
use tokio::sync::{Notify, Semaphore, watch};

use crate::watched::{CatchUps, Watched};

/// Longest time that a test waits for a condition.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test on an actix system, with tasks on a runtime of their own, as the service does.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(tokio::runtime::Handle) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    actix::System::new().block_on(test(handle));
    runtime.shutdown_timeout(Duration::from_secs(5));
}

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) database: TestDatabase,
    pub(crate) options: ListenerOptions,
    runtime: tokio::runtime::Handle,
    client: reqwest::Client,
    tree: Option<Tree>,
    renewal: Option<tokio::task::JoinHandle<()>>,
    starts: u32,
    /// The service accounts: those of the database, else that of the configuration.
    pub(crate) accounts: BTreeSet<AccountId>,
    exchange: Option<Arc<Exchange>>,
    /// The number of a mailbox whose actor panics.
    pub(crate) poison: Option<u32>,
    /// Steps of mailboxes at one time.
    pub(crate) work: usize,
    /// Catch-ups that ask at one time.
    pub(crate) catch_ups: Arc<CatchUps>,
    /// Do answers to Subscribe come through?
    pub(crate) answers: watch::Sender<bool>,
    /// Told when a subscription is about to be ended.
    pub(crate) ending: Arc<Notify>,
    told: Option<watch::Sender<Option<BTreeSet<AccountId>>>>,
}

/// One stored notification: mailbox, kind, item.
pub(crate) type Stored = (String, String, Option<String>);

pub(crate) fn options() -> ListenerOptions {
    let soon = Backoff::doubling(Duration::from_millis(100), Duration::from_millis(400));
    ListenerOptions {
        subscriber_update_time_interval: Duration::from_secs(600),
        locate_again: soon,
        retry: soon,
        group: GroupOptions {
            growth_pause: Duration::from_millis(200),
            reopen: soon,
            restart: soon,
            stop_patience: Duration::from_secs(4),
            ..GroupOptions::default()
        },
        ..ListenerOptions::default()
    }
}

impl World {
    /// A simulator with mailboxes, an empty database; nothing listens yet.
    pub(crate) async fn new(runtime: tokio::runtime::Handle, simulator: Options) -> Self {
        trust::install_provider();
        let simulator = Simulator::start(simulator).await.unwrap();
        let database = database().await;
        let client = reqwest::Client::builder().http1_only().build().unwrap();
        Self {
            simulator,
            database,
            options: options(),
            runtime,
            client,
            tree: None,
            renewal: None,
            starts: 0,
            accounts: BTreeSet::from([AccountId::DEFAULT]),
            exchange: None,
            poison: None,
            work: 8,
            catch_ups: Arc::default(),
            answers: watch::Sender::new(true),
            ending: Arc::default(),
            told: None,
        }
    }

    /// The usual one: mailboxes 1 to `mailboxes`, all of them resources, listened to.
    pub(crate) async fn listening(runtime: tokio::runtime::Handle, mailboxes: u32) -> Self {
        let mut world = Self::new(runtime, Options { mailboxes, ..Options::default() }).await;
        for n in 1..=mailboxes {
            world.add_resource(n).await;
        }
        world.start();
        world.wait_listened(mailboxes).await;
        world
    }

    /// Starts the listener, as a new process would.
    pub(crate) fn start(&mut self) {
        self.starts += 1;
        let mut options = ExchangeOptions::new("svc", "pw".to_owned().into());
        options.autodiscover_url = Some(self.simulator.autodiscover_url().parse().unwrap());
        options.request_timeout = Duration::from_secs(5);
        options.back_off = Backoff::doubling(Duration::from_millis(50), Duration::from_millis(500));
        let clock = SystemClock::shared();
        let source = Arc::new(Exchange::new(options, clock.clone()).unwrap());
        source.set_accounts(&self.credentials()).unwrap();
        self.exchange = Some(Arc::clone(&source));
        let store = self.database.store.clone();
        let owner = format!("test-{}", self.starts);
        let leases = LeaseBook::new(store.clone(), clock.clone(), owner, Duration::from_secs(3));
        let renewal = {
            let leases = leases.clone();
            self.runtime.spawn(async move {
                loop {
                    let _ = leases.renew().await;
                    tokio::time::sleep(leases.renew_every()).await;
                }
            })
        };
        let soon = Backoff::doubling(Duration::from_millis(100), Duration::from_millis(400));
        let source = Arc::new(Watched {
            inner: source,
            victim: self.poison.map(Self::mail),
            catch_ups: Arc::clone(&self.catch_ups),
            answers: self.answers.subscribe(),
            ending: Arc::clone(&self.ending),
        });
        let tools = Tools {
            source,
            store: store.clone(),
            runtime: self.runtime.clone(),
            clock: clock.clone(),
            options: SubscriberOptions {
                retry: soon,
                park: soon,
                catch_up_jitter: Duration::from_millis(50),
                ..SubscriberOptions::default()
            },
            work: Arc::new(Semaphore::new(self.work)),
        };
        let group_tools = GroupTools { mailboxes: Arc::new(tools), leases, options: self.options.group };
        let wake = {
            let _guard = self.runtime.enter();
            Wake::start(store)
        };
        let reference: ChildRef<Listener> = ChildRef::new();
        let (told, accounts) = watch::channel(Some(self.accounts.clone()));
        self.told = Some(told);
        let intensity = Intensity { max_restarts: 5, window: Duration::from_secs(60) };
        let root = SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(listener_spec(
            &reference,
            group_tools,
            self.options,
            accounts,
            wake,
            Shares::alone(),
        ));
        self.tree = Some(Tree::start(root, clock));
        self.renewal = Some(renewal);
    }

    /// The accounts as the simulator knows them: `svc`, `svc2`, … for 0, 2, …
    fn credentials(&self) -> Vec<Account> {
        let name = |id: AccountId| match id.get() {
            0 => "svc".to_owned(),
            n => format!("svc{n}"),
        };
        self.accounts.iter().map(|id| Account { id: *id, user: name(*id), password: "pw".into() }).collect()
    }

    /// There is one more account, as `kommuneklient credential add` would have it. Not 1: the simulator has none.
    pub(crate) async fn add_account(&mut self, number: i64) {
        self.execute(&format!(
            "insert into service_user_credential (id, user_name) overriding system value values ({number}, 'svc{number}')"
        ))
        .await;
        self.accounts.remove(&AccountId::DEFAULT);
        self.accounts.insert(AccountId::new(number));
        self.tell_accounts();
    }

    /// An account is gone, as `kommuneklient credential remove` would have it.
    pub(crate) async fn remove_account(&mut self, number: i64) {
        let mut client = self.database.store.client("test").await.unwrap();
        let tx = client.transaction().await.unwrap();
        store::accounts::release_groups(&tx, AccountId::new(number)).await.unwrap();
        tx.execute("delete from service_user_credential where id = $1", &[&number]).await.unwrap();
        tx.commit().await.unwrap();
        self.accounts.remove(&AccountId::new(number));
        self.tell_accounts();
    }

    /// Another instance was told that this account must wait for a minute.
    pub(crate) fn hold(&self, number: i64) {
        self.exchange.as_ref().expect("started").hold(&BackOff {
            account: AccountId::new(number),
            left: Duration::from_secs(60),
            failures: 1,
            reason: Reason::Busy,
        });
    }

    fn tell_accounts(&self) {
        if let (Some(exchange), Some(told)) = (&self.exchange, &self.told) {
            exchange.set_accounts(&self.credentials()).unwrap();
            told.send_replace(Some(self.accounts.clone()));
        }
    }

    /// Open streams, by the name of the account.
    pub(crate) fn streams_by_account(&self) -> BTreeMap<String, usize> {
        let service = self.simulator.service();
        let mut streams = BTreeMap::new();
        for (_, stream) in service.world().hub.streams() {
            *streams.entry(service.accounts[stream.account].clone()).or_default() += 1;
        }
        streams
    }

    pub(crate) fn tree(&self) -> &Tree {
        self.tree.as_ref().expect("started")
    }

    /// Stops the listener in order.
    pub(crate) async fn stop(&mut self) {
        let tree = self.tree.take().expect("started");
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
    }

    pub(crate) fn mail(n: u32) -> MailAddress {
        MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
    }

    /// A resource row, announced as a refresh of the list would.
    pub(crate) async fn add_resource(&self, n: u32) {
        let mail = Self::mail(n);
        self.execute(&format!(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker) \
             values ('{mail}', {}, '', '', true) \
             on conflict (mail) do update set deleted_date = null; notify kommuneklient_resource",
            mail.bucket()
        ))
        .await;
    }

    pub(crate) async fn drop_resource(&self, n: u32) {
        self.execute(&format!(
            "update planner_resource set deleted_date = now() where mail = '{}'; notify kommuneklient_resource",
            Self::mail(n)
        ))
        .await;
    }

    pub(crate) async fn execute(&self, statements: &str) {
        self.database.store.client("test").await.unwrap().batch_execute(statements).await.unwrap();
    }

    /// The only column of the only row.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.database.store.client("test").await.unwrap().query_one(query, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn text(&self, query: &str) -> Option<String> {
        let row = self.database.store.client("test").await.unwrap().query_opt(query, &[]).await.unwrap();
        row.and_then(|row| row.get(0))
    }

    pub(crate) async fn notifications(&self) -> Vec<Stored> {
        let query = "select mail, event_type, item_id from notification order by id";
        loop {
            let client = self.database.store.client("test").await.unwrap();
            // a test may have cut this very connection; the pool gives another one then
            match client.query(query, &[]).await {
                Ok(rows) => return rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
                Err(error) => assert!(error.is_closed() || client.is_closed(), "{error:?}"),
            }
        }
    }

    /// Waits until `condition` gives something; fails with the last status.
    pub(crate) async fn until<T, F>(&self, what: &str, mut condition: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, String>>,
    {
        let mut status = String::new();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            match condition().await {
                Ok(value) => return value,
                Err(now) => status = now,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}: {status}; tree: {:?}", self.tree.as_ref().map(Tree::status));
    }

    /// Waits until so many mailboxes are listened to: caught up, and on an open stream.
    pub(crate) async fn wait_listened(&self, mailboxes: u32) {
        self.until("mailboxes listened to", || async {
            let done = self
                .number("select count(*) from planner_resource where last_success is not null and error_code is null")
                .await;
            let streamed = self.streamed();
            let ready = self.tree().ready();
            if done == i64::from(mailboxes) && streamed == mailboxes as usize && ready {
                return Ok(());
            }
            Err(format!("{done} caught up, {streamed} on streams, ready {ready}"))
        })
        .await;
    }

    /// The same with so many others in error.
    pub(crate) async fn wait_listened_of(&self, mailboxes: u32, others: u32) {
        self.until("mailboxes in error", || async {
            let failed =
                self.number("select count(*) from planner_resource where error_code is not null").await;
            if failed == i64::from(others) { Ok(()) } else { Err(format!("{failed}")) }
        })
        .await;
        self.wait_listened(mailboxes).await;
    }

    /// Waits until Exchange has so many subscriptions, and so many of them are on streams.
    pub(crate) async fn wait_subscribed(&self, subscriptions: usize, streamed: usize) {
        self.until("subscriptions", || async {
            let made = self.simulator.service().world().hub.subscriptions();
            let now = (made, self.streamed());
            if now == (subscriptions, streamed) { Ok(()) } else { Err(format!("{now:?}, also on streams")) }
        })
        .await;
    }

    /// Subscriptions on open streams.
    pub(crate) fn streamed(&self) -> usize {
        let world = self.simulator.service().world();
        world.hub.streams().map(|(_, stream)| stream.ids.len()).sum()
    }

    /// Waits for a notification about `item`.
    pub(crate) async fn wait_for_item(&self, n: u32, item: &str, kinds: &[&str]) {
        let mail = Self::mail(n).to_string();
        self.until("a notification", || async {
            let all = self.notifications().await;
            let found = all.iter().any(|(m, kind, id)| {
                *m == mail && kinds.contains(&kind.as_str()) && id.as_deref() == Some(item)
            });
            if found { Ok(()) } else { Err(format!("{all:?}")) }
        })
        .await;
    }

    pub(crate) fn act(&self, act: Act) -> u32 {
        self.simulator.service().act(&act).unwrap()
    }

    pub(crate) fn fault(
        &self,
        kind: Fault,
        operation: Option<&str>,
        mailbox: Option<u32>,
        next: Option<u32>,
    ) {
        let rule = FaultRule {
            kind,
            operation: operation.map(str::to_owned),
            mailbox: mailbox.map(|n| Self::mail(n).to_string()),
            probability: next.is_none().then_some(1.0),
            next,
        };
        self.simulator.service().faults.add(vec![rule]).unwrap();
    }

    /// Requests of one operation that the simulator has answered.
    pub(crate) fn requests(&self, operation: &str) -> u64 {
        self.simulator.service().world().meter().requests.get(operation).copied().unwrap_or_default()
    }

    /// Calls as any client; waits while the server is busy.
    async fn call(&self, n: u32, request: Request) -> Response {
        self.until("an answer", || async {
            self.call_once(n, request.clone()).await.map_err(|fault| fault.code.to_string())
        })
        .await
    }

    async fn call_once(&self, n: u32, request: Request) -> Result<Response, proto_ews::Fault> {
        let envelope = RequestEnvelope {
            server_version: Some("Exchange2016".into()),
            impersonation: Some(Impersonation::SmtpAddress(Self::mail(n).to_string())),
            time_zone_context: None,
            request,
        };
        let mut answer = self
            .client
            .post(self.simulator.ews_url())
            .basic_auth("svc", Some("pw"))
            .body(encode_request(&envelope).unwrap())
            .send()
            .await
            .unwrap();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.unwrap() {
            body.extend_from_slice(&piece);
        }
        decode_response(&body, proto_ews::Limits::standard()).unwrap().body
    }

    /// Creates an appointment; gives its id.
    pub(crate) async fn create(&self, n: u32) -> String {
        let item = CalendarItem {
            subject: Some("never to be seen".into()),
            start: Some("2031-03-04T09:00:00Z".parse().unwrap()),
            end: Some("2031-03-04T10:00:00Z".parse().unwrap()),
            free_busy: Some(FreeBusy::Busy),
            ..CalendarItem::default()
        };
        let request = Request::CreateItem(CreateItem {
            message_disposition: None,
            send_meeting_invitations: Some("SendToNone".into()),
            saved_item_folder: Some(FolderRef::calendar()),
            items: vec![Item::from(item)],
        });
        match self.call(n, request).await {
            Response::CreateItem(messages) => {
                let items = messages.into_iter().next().unwrap().into_result().unwrap();
                items[0].item_id().unwrap().id.clone()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Deletes an appointment.
    pub(crate) async fn delete(&self, n: u32, item: &str, how: DeleteType) {
        let request = Request::DeleteItem(DeleteItem {
            delete_type: how,
            send_meeting_cancellations: Some("SendToNone".into()),
            affected_task_occurrences: None,
            suppress_read_receipts: None,
            item_ids: vec![ItemRef::id(item)],
        });
        match self.call(n, request).await {
            Response::DeleteItem(messages) => {
                messages.into_iter().next().unwrap().into_result().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}
