#!/usr/bin/env node
// ews-javascript-api against an Exchange server: a client that was written by others, from Microsoft's Managed API,
// judges whether the simulator is one.
//
//     node exchange_ews.js URL USER PASSWORD [MAILBOX]
//
// Autodiscover, binding the calendar, appointments by view and by id, SyncFolderItems from a state, and streaming
// notifications of created, changed, moved and deleted appointments through the planned end of the stream and its
// reopening. Every step checks values. The status is 1 when anything differs.
"use strict";

const ews = require("ews-javascript-api");
const { version } = require("ews-javascript-api/package.json");

/** What the server needs at most to tell of a change. */
const WAIT_MS = 30_000;
/** The planned end of a stream of one minute comes within this time. */
const END_MS = 90_000;
/** Longest run of everything; tests/peers/run has a limit, too. */
const ALL_MS = 240_000;

const say = (text) => process.stdout.write(`${text}\n`);
const done = (what) => say(`  ${what}`);

function same(actual, expected, what) {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) {
    throw new Error(`${what}: ${one} instead of ${other}`);
  }
}

function check(condition, what, shown) {
  if (!condition) {
    throw new Error(`${what}: ${JSON.stringify(shown)}`);
  }
}

/** What went wrong; the library also throws what is no error, or nothing at all. */
function told(error) {
  if (error instanceof Error) {
    return error.stack;
  }
  const code = error && ews.ServiceError[error.ErrorCode];
  return code ? `${code}: ${error.Message}` : JSON.stringify(error) || "the library threw nothing";
}

/** Waits for a promise, no longer than `ms`. */
function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function credentials(options) {
  return new ews.WebCredentials(options.user, options.password);
}

/** A service that acts as the owner of the mailbox. */
function service(options, mailbox = options.mailbox) {
  const made = new ews.ExchangeService(ews.ExchangeVersion.Exchange2013_SP1, ews.TimeZoneInfo.Utc);
  made.Credentials = credentials(options);
  made.Url = new ews.Uri(`${options.url}/EWS/Exchange.asmx`);
  made.ImpersonatedUserId = new ews.ImpersonatedUserId(ews.ConnectingIdType.SmtpAddress, mailbox);
  made.HttpHeaders.Add("X-AnchorMailbox", mailbox);
  return made;
}

/** Minute precision in UTC. */
function at(day, hour, minute = 0) {
  const time = new Date();
  time.setUTCDate(time.getUTCDate() + day);
  time.setUTCHours(hour, minute, 0, 0);
  return new ews.DateTime(time.getTime());
}

const instant = (dateTime) => new Date(dateTime.TotalMilliSeconds).toISOString();

async function create(exchange, subject, start, end, more = () => {}) {
  const item = new ews.Appointment(exchange);
  item.Subject = subject;
  item.Start = start;
  item.End = end;
  more(item);
  await item.Save(ews.SendInvitationsMode.SendToNone);
  check(item.Id && item.Id.UniqueId, "the new item has an id", item.Id);
  return item;
}

async function view(exchange, from, to) {
  const found = await exchange.FindAppointments(
    ews.WellKnownFolderName.Calendar,
    new ews.CalendarView(from, to, 1000),
  );
  return found.Items;
}

async function autodiscover(options) {
  const asked = new ews.AutodiscoverService(
    new ews.Uri(`${options.url}/autodiscover/autodiscover.svc`),
    options.mailbox.split("@")[1],
    ews.ExchangeVersion.Exchange2013,
  );
  asked.Credentials = credentials(options);
  const names = [ews.UserSettingName.ExternalEwsUrl, ews.UserSettingName.GroupingInformation];
  const answers = await asked.GetUserSettings([options.mailbox, "nobody@nowhere.invalid"], names);
  same(answers.Responses.length, 2, "answers of Autodiscover");
  const [one, other] = answers.Responses;
  same(one.ErrorCode, ews.AutodiscoverErrorCode.NoError, "error of a mailbox that is there");
  check(
    one.Settings.get(ews.UserSettingName.ExternalEwsUrl) === `${options.url}/EWS/Exchange.asmx`,
    "ExternalEwsUrl",
    one.Settings.get(ews.UserSettingName.ExternalEwsUrl),
  );
  const grouping = one.Settings.get(ews.UserSettingName.GroupingInformation);
  check(typeof grouping === "string" && grouping.length > 0, "GroupingInformation", grouping);
  check(other.ErrorCode !== ews.AutodiscoverErrorCode.NoError, "a mailbox that is not there", other.ErrorCode);
  done("Autodiscover: endpoint and group of a mailbox, error of another");
}

async function calendar(options) {
  const exchange = service(options);
  const folder = await ews.CalendarFolder.Bind(exchange, ews.WellKnownFolderName.Calendar);
  check(folder instanceof ews.CalendarFolder, "a calendar folder", folder.constructor.name);
  check(folder.Id.UniqueId.length > 10, "id of the folder", folder.Id.UniqueId);
  const stranger = service(options, "nobody@sim.test");
  const refused = await ews.CalendarFolder.Bind(stranger, ews.WellKnownFolderName.Calendar).then(
    () => null,
    (error) => error,
  );
  // a fault of the whole request, of which the library reads the code into another field than ErrorCode
  check(
    refused && refused.responseCode === ews.ServiceError.ErrorNonExistentMailbox,
    "impersonation of nobody",
    refused && ews.ServiceError[refused.responseCode],
  );
  done("the calendar folder; a mailbox that is not there");
}

async function single(options) {
  const exchange = service(options);
  const item = await create(exchange, "Review", at(3, 9), at(3, 10, 30), (one) => {
    one.Location = "Room 3";
    one.LegacyFreeBusyStatus = ews.LegacyFreeBusyStatus.Tentative;
  });
  const found = await ews.Appointment.Bind(exchange, item.Id, ews.PropertySet.FirstClassProperties);
  same(found.Subject, "Review", "subject");
  same(found.Location, "Room 3", "place");
  same([instant(found.Start), instant(found.End)], [instant(at(3, 9)), instant(at(3, 10, 30))], "times");
  same(found.LegacyFreeBusyStatus, ews.LegacyFreeBusyStatus.Tentative, "free/busy status");
  same(found.AppointmentType, ews.AppointmentType.Single, "kind");
  same([found.IsAllDayEvent, found.IsCancelled], [false, false], "all-day and cancelled");
  check(found.ICalUid.length > 0, "UID", found.ICalUid);

  const shown = await view(exchange, at(3, 0), at(4, 0));
  same(shown.map((one) => one.Id.UniqueId), [item.Id.UniqueId], "view of the day");
  same(await view(exchange, at(4, 0), at(5, 0)).then((items) => items.length), 0, "view of the next day");

  found.Start = at(4, 13);
  found.End = at(4, 14);
  await found.Update(ews.ConflictResolutionMode.AlwaysOverwrite, ews.SendInvitationsOrCancellationsMode.SendToNone);
  const moved = await ews.Appointment.Bind(exchange, item.Id, ews.PropertySet.FirstClassProperties);
  same([instant(moved.Start), instant(moved.End)], [instant(at(4, 13)), instant(at(4, 14))], "times after update");
  same(moved.Subject, "Review", "the subject is as it was");
  check(moved.Id.ChangeKey !== item.Id.ChangeKey, "change key after update", moved.Id.ChangeKey);

  await moved.Delete(ews.DeleteMode.HardDelete);
  const gone = await ews.Appointment.Bind(exchange, item.Id).then(
    () => null,
    (error) => error,
  );
  check(
    gone && gone.ErrorCode === ews.ServiceError.ErrorItemNotFound,
    "reading a deleted item",
    gone && ews.ServiceError[gone.ErrorCode],
  );
  done("create, view, get, update and delete of an appointment");
}

async function series(options) {
  const exchange = service(options);
  const master = await create(exchange, "Team", at(5, 8), at(5, 9), (one) => {
    one.Recurrence = new ews.Recurrence.DailyPattern(at(5, 8), 2);
    one.Recurrence.NumberOfOccurrences = 3;
  });
  const items = await view(exchange, at(4, 0), at(20, 0));
  same(items.map((one) => instant(one.Start)), [at(5, 8), at(7, 8), at(9, 8)].map(instant), "occurrences");
  const kinds = items.map((one) => one.AppointmentType);
  same(kinds, [1, 1, 1].map(() => ews.AppointmentType.Occurrence), "kinds of occurrences");
  same(new Set(items.map((one) => one.Id.UniqueId)).size, 3, "ids of occurrences differ");
  const second = await ews.Appointment.BindToOccurrence(exchange, master.Id, 2);
  same(instant(second.Start), instant(at(7, 8)), "second occurrence by its index");
  const top = await ews.Appointment.BindToRecurringMaster(exchange, items[2].Id);
  same(top.Id.UniqueId, master.Id.UniqueId, "master of an occurrence");
  await top.Delete(ews.DeleteMode.HardDelete);
  same(await view(exchange, at(4, 0), at(20, 0)).then((all) => all.length), 0, "view after its deletion");
  done("a series and its occurrences");
}

async function sync(options) {
  const exchange = service(options);
  const folder = new ews.FolderId(ews.WellKnownFolderName.Calendar);
  const page = (state, most = 2) =>
    exchange.SyncFolderItems(
      folder,
      ews.PropertySet.IdOnly,
      null,
      most,
      ews.SyncFolderItemsScope.NormalItems,
      state,
    );
  const kinds = (changes) => changes.map((change) => ews.ChangeType[change.ChangeType]);
  const all = async (state) => {
    const changes = [];
    for (;;) {
      const answer = await page(state);
      for (let place = 0; place < answer.Count; place += 1) {
        changes.push(answer._getItem(place));
      }
      state = answer.SyncState;
      if (!answer.MoreChangesAvailable) {
        return { changes, state };
      }
    }
  };
  const first = await all(null);
  const items = [];
  for (let hour = 8; hour < 13; hour += 1) {
    items.push(await create(exchange, `Item ${hour}`, at(6, hour), at(6, hour + 1)));
  }
  const created = await all(first.state);
  same(kinds(created.changes), Array(5).fill("Create"), "changes over several pages");
  items[1].Subject = "Changed";
  await items[1].Update(
    ews.ConflictResolutionMode.AlwaysOverwrite,
    ews.SendInvitationsOrCancellationsMode.SendToNone,
  );
  await items[3].Delete(ews.DeleteMode.HardDelete);
  const since = await all(created.state);
  same(kinds(since.changes).sort(), ["Delete", "Update"], "changes since the state");
  const deleted = since.changes.find((change) => change.ChangeType === ews.ChangeType.Delete);
  same(deleted.ItemId.UniqueId, items[3].Id.UniqueId, "id of the deleted item");
  same((await all(since.state)).changes.length, 0, "nothing more");
  const refused = await page("AAAA").then(
    () => null,
    (error) => error,
  );
  check(
    refused && refused.ErrorCode === ews.ServiceError.ErrorInvalidSyncStateData,
    "a sync state of nobody's",
    refused && ews.ServiceError[refused.ErrorCode],
  );
  for (const place of [0, 1, 2, 4]) {
    await items[place].Delete(ews.DeleteMode.HardDelete);
  }
  done("SyncFolderItems from a state, in pages");
}

/** A stream with what it has told so far. */
class Stream {
  /** `exchange` is for this stream alone: the library keeps the open stream in it. */
  constructor(exchange, subscription) {
    this.events = [];
    this.failures = [];
    this.waiting = [];
    this.connection = new ews.StreamingSubscriptionConnection(exchange, 1);
    this.connection.AddSubscription(subscription);
    this.connection.OnNotificationEvent.push((_, told) => {
      same(told.Subscription.Id, subscription.Id, "subscription of an event");
      this.events.push(...told.Events);
      this.waiting.forEach((look) => look());
    });
    this.connection.OnSubscriptionError.push((_, told) => this.failures.push(told.Exception));
  }

  /** Opens it; the promise that comes out tells of its end. */
  open() {
    this.ended = new Promise((resolve) => {
      this.connection.OnDisconnect = [(_, told) => resolve(told.Exception)];
    });
    // the library's promise never ends well: it ends with the error of the stream, or not at all
    this.connection.Open().catch((error) => this.failures.push(error));
  }

  /** The first event of this kind about this item that was not taken yet. */
  take(kind, id, what) {
    const look = () => {
      const place = this.events.findIndex(
        (event) => event.EventType === kind && event.ItemId && [event.ItemId, event.OldItemId].some((one) => one && one.UniqueId === id),
      );
      return place < 0 ? null : this.events.splice(place, 1)[0];
    };
    const found = new Promise((resolve) => {
      const again = () => {
        const event = look();
        if (event) {
          this.waiting = this.waiting.filter((one) => one !== again);
          resolve(event);
        }
      };
      this.waiting.push(again);
      again();
    });
    const seen = () => `${what}; seen ${this.events.map((event) => ews.EventType[event.EventType])}, ${this.failures}`;
    return within(WAIT_MS, found, what).catch(() => Promise.reject(new Error(`no event: ${seen()}`)));
  }
}

async function streaming(options) {
  const kinds = [
    ews.EventType.Created,
    ews.EventType.Modified,
    ews.EventType.Moved,
    ews.EventType.Copied,
    ews.EventType.Deleted,
    ews.EventType.FreeBusyChanged,
  ];
  const exchange = service(options);
  const listening = service(options);
  const folder = await ews.CalendarFolder.Bind(exchange, ews.WellKnownFolderName.Calendar);
  const subscription = await listening.SubscribeToStreamingNotifications(
    [new ews.FolderId(ews.WellKnownFolderName.Calendar)],
    ...kinds,
  );
  check(subscription.Id.length > 0, "subscription", subscription.Id);
  const stream = new Stream(listening, subscription);
  stream.open();

  const item = await create(exchange, "Live", at(8, 9), at(8, 10));
  const id = item.Id.UniqueId;
  const created = await stream.take(ews.EventType.Created, id, "created");
  same(created.ParentFolderId.UniqueId, folder.Id.UniqueId, "folder of the event");
  check(Math.abs(created.TimeStamp.TotalMilliSeconds - Date.now()) < 600_000, "time of the event", instant(created.TimeStamp));
  item.Start = at(8, 10);
  item.End = at(8, 11);
  await item.Update(ews.ConflictResolutionMode.AlwaysOverwrite, ews.SendInvitationsOrCancellationsMode.SendToNone);
  await stream.take(ews.EventType.Modified, id, "changed");
  await item.Delete(ews.DeleteMode.MoveToDeletedItems);
  const moved = await stream.take(ews.EventType.Moved, id, "moved to the deleted items");
  same(moved.OldItemId.UniqueId, id, "former id of the moved item");
  check(moved.ItemId.UniqueId !== id, "a moved item has a new id", moved.ItemId.UniqueId);
  const second = await create(exchange, "Live too", at(9, 9), at(9, 10));
  await stream.take(ews.EventType.Created, second.Id.UniqueId, "created again");
  await second.Delete(ews.DeleteMode.HardDelete);
  await stream.take(ews.EventType.Deleted, second.Id.UniqueId, "deleted");
  check(
    stream.events.some((event) => event.EventType === ews.EventType.FreeBusyChanged),
    "a change of free/busy times is told",
    stream.events.map((event) => ews.EventType[event.EventType]),
  );
  same(stream.failures.length, 0, "failures of the stream");
  done("streaming notifications of created, changed, moved, deleted and free/busy");

  const began = Date.now();
  same(await within(END_MS, stream.ended, "the planned end of the stream"), null, "reason of the end");
  same(stream.connection.IsOpen, false, "the connection is closed");
  done(`the planned end of the stream after ${Math.round((Date.now() - began) / 1000)} s more`);

  stream.open();
  const third = await create(exchange, "After the end", at(9, 11), at(9, 12));
  await stream.take(ews.EventType.Created, third.Id.UniqueId, "created after the stream was opened again");
  await third.Delete(ews.DeleteMode.HardDelete);
  await stream.take(ews.EventType.Deleted, third.Id.UniqueId, "deleted after the stream was opened again");
  done("the stream opened again with the same subscription");

  stream.connection.Close();
  await subscription.Unsubscribe();
  const refused = new Stream(service(options), subscription);
  refused.open();
  await within(WAIT_MS, refused.ended, "the end of a stream without subscription");
  check(
    refused.failures.some((error) => error.ErrorCode === ews.ServiceError.ErrorSubscriptionNotFound),
    "the stream of a subscription that ended",
    refused.failures.map((error) => ews.ServiceError[error.ErrorCode] || String(error)),
  );
  done("a subscription that ended has no stream");
}

async function main() {
  const [url, user, password, mailbox = "m0001@sim.test"] = process.argv.slice(2);
  if (!password) {
    say("usage: node exchange_ews.js URL USER PASSWORD [MAILBOX]");
    return 2;
  }
  const options = { url, user, password, mailbox };
  say(`ews-javascript-api ${version}`);
  const steps = [autodiscover, calendar, single, series, sync, streaming];
  let passed = 0;
  for (const step of steps) {
    try {
      await step(options);
      passed += 1;
    } catch (error) {
      say(`FAILED ${step.name}: ${told(error)}`);
    }
  }
  say(`${passed} passed, ${steps.length - passed} failed`);
  return passed === steps.length ? 0 : 1;
}

const late = setTimeout(() => {
  say(`FAILED: not done within ${ALL_MS} ms`);
  process.exit(1);
}, ALL_MS);
late.unref();
main().then(
  // streams that are still open must not keep the process
  (status) => process.exit(status),
  (error) => {
    say(`FAILED: ${told(error)}`);
    process.exit(1);
  },
);
