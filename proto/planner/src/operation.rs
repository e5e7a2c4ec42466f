//! The five operations and the names derived from them.

use std::fmt;

/// One of Planner's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Adds appointments that Planner does not have.
    CreateEvents,
    /// Changes the times of appointments that Planner has.
    UpdateEvents,
    /// Removes appointments that Planner has.
    DeleteEvents,
    /// Reads the appointments of some mailboxes whose start lies between two times.
    GetEvents,
    /// Reads the resources (case workers and rooms) of the job centre.
    GetResources,
}

impl Operation {
    /// All five, in the order of the contract.
    pub const ALL: [Self; 5] =
        [Self::CreateEvents, Self::UpdateEvents, Self::DeleteEvents, Self::GetEvents, Self::GetResources];

    /// The operation's name: `CreateEvents` …
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateEvents => "CreateEvents",
            Self::UpdateEvents => "UpdateEvents",
            Self::DeleteEvents => "DeleteEvents",
            Self::GetEvents => "GetEvents",
            Self::GetResources => "GetResources",
        }
    }

    /// The value of the HTTP header `SOAPAction`, without the quotes that SOAP 1.1 puts around it.
    pub const fn soap_action(self) -> &'static str {
        match self {
            Self::CreateEvents => {
                "http://service.bm.dk/pjaktass/1/PlannerExternalCalendarService#CreateEvents"
            }
            Self::UpdateEvents => {
                "http://service.bm.dk/pjaktass/1/PlannerExternalCalendarService#UpdateEvents"
            }
            Self::DeleteEvents => {
                "http://service.bm.dk/pjaktass/1/PlannerExternalCalendarService#DeleteEvents"
            }
            Self::GetEvents => "http://service.bm.dk/pjaktass/1/PlannerExternalCalendarService#GetEvents",
            Self::GetResources => {
                "http://service.bm.dk/pjaktass/1/PlannerExternalCalendarService#GetResources"
            }
        }
    }

    /// The operation that a `SOAPAction` header value names; surrounding quotes and blanks are allowed.
    pub fn from_soap_action(value: &str) -> Option<Self> {
        let bare = value.trim().trim_matches('"');
        Self::ALL.into_iter().find(|operation| operation.soap_action() == bare)
    }

    /// The operation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Does the operation change what Planner holds (and is therefore answered by receipts)?
    pub const fn is_change(self) -> bool {
        matches!(self, Self::CreateEvents | Self::UpdateEvents | Self::DeleteEvents)
    }

    /// The local name of the request's element.
    pub const fn request_element(self) -> &'static str {
        match self {
            Self::CreateEvents => "CreateEventsRequest",
            Self::UpdateEvents => "UpdateEventsRequest",
            Self::DeleteEvents => "DeleteEventsRequest",
            Self::GetEvents => "GetEventsRequest",
            Self::GetResources => "GetResourcesRequest",
        }
    }

    /// The local name of the response's element.
    pub const fn response_element(self) -> &'static str {
        match self {
            Self::CreateEvents => "CreateEventsResponse",
            Self::UpdateEvents => "UpdateEventsResponse",
            Self::DeleteEvents => "DeleteEventsResponse",
            Self::GetEvents => "GetEventsResponse",
            Self::GetResources => "GetResourcesResponse",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
