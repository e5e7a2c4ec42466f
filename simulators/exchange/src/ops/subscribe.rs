//! Subscribe (streaming) and Unsubscribe.

use proto_ews::operation::{Subscribe, SubscribedFolders, Unsubscribe};
use proto_ews::{Problem, ResponseCode, ResponseMessage, SubscriptionId};

use crate::hub::Heard;
use crate::ids::MailboxKey;
use crate::ops;
use crate::service::{Caller, Service};

/// Subscribe. The subscription belongs to the account and lives on the back end that answers.
pub fn subscribe(
    service: &Service,
    caller: &Caller,
    request: &Subscribe,
) -> Vec<ResponseMessage<SubscriptionId>> {
    vec![one(service, caller, request).map_or_else(ResponseMessage::Error, ResponseMessage::Success)]
}

fn one(service: &Service, caller: &Caller, request: &Subscribe) -> Result<SubscriptionId, Problem> {
    let mut world = service.world();
    let (mailbox, heard) = match &request.folders {
        SubscribedFolders::All => {
            let mailbox = caller.acting.ok_or_else(|| invalid("All folders of whose mailbox?"))?;
            service.permitted(&world, caller, mailbox)?;
            (mailbox, Heard::All)
        }
        SubscribedFolders::These(folders) => {
            let mut kinds = Vec::with_capacity(folders.len());
            let mut mailbox: Option<MailboxKey> = None;
            for folder in folders {
                let key = ops::readable_folder(service, &world, caller, folder)?;
                if mailbox.is_some_and(|mailbox| mailbox != key.mailbox) {
                    return Err(invalid("A subscription is for the folders of one mailbox."));
                }
                mailbox = Some(key.mailbox);
                kinds.push(key.folder);
            }
            (mailbox.ok_or_else(|| invalid("There is no folder."))?, Heard::These(kinds))
        }
    };
    if request.event_kinds.is_empty() {
        return Err(invalid("There is no event type."));
    }
    if ops::mailbox(&world, mailbox)?.group != caller.back_end.group {
        return Err(Problem::new(
            ResponseCode::PROXY_REQUEST_NOT_ALLOWED,
            "The mailbox is served elsewhere; discover it anew.",
        ));
    }
    let host = caller.back_end.host(&service.options.domain);
    let limit = service.options.subscriptions_per_mailbox;
    let id = world.hub.subscribe(
        mailbox,
        caller.account,
        caller.back_end,
        &host,
        heard,
        &request.event_kinds,
        limit,
        caller.now,
    );
    match id {
        Some(id) => Ok(SubscriptionId::new(&*id)),
        None => Err(Problem::new(
            ResponseCode::EXCEEDED_SUBSCRIPTION_COUNT,
            "You have exceeded the available subscriptions for your account.",
        )),
    }
}

fn invalid(text: &str) -> Problem {
    Problem::new(ResponseCode::INVALID_SUBSCRIPTION_REQUEST, text)
}

/// Unsubscribe.
pub fn unsubscribe(service: &Service, caller: &Caller, request: &Unsubscribe) -> Vec<ResponseMessage<()>> {
    let outcome = service.world().hub.unsubscribe(request.subscription_id.as_str(), caller.account);
    vec![match outcome {
        Ok(()) => ResponseMessage::Success(()),
        Err(code) => ResponseMessage::error(code, "The specified subscription was not found."),
    }]
}
