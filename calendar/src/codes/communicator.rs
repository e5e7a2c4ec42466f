//! The codes of the communicator (PCS): sending, the resource list, the comparison back. Those of refused
//! appointments, 6200 to 6249, are made in `super`.

use base::event_entry::Reaction::{AskPlannerSupport, Decide, InvestigateInPlanner};

use super::success::{
    COMMUNICATOR, COMPARISON, DATABASE, PLANNER_CALL, PLANNER_ITEMS, RESOURCE_ENTRIES, RESOURCE_LIST,
};

codes! {
    COMMUNICATOR_TABLE, COMMUNICATOR_NAMES;

    RESOURCE_ADDRESS_TWICE = 3201 PCS Warning
        "the resource list names an address more than once, its entries are skipped"
        "ressourcelisten nævner en adresse mere end én gang; dens poster springes over"
        RESOURCES .quiet();
    RESOURCE_LIST_EMPTY = 3202 PCS Warning
        "Planner returned no resources, the last good list stays"
        "Planner returnerede ingen ressourcer; den sidste gode liste bevares"
        RESOURCES .react(InvestigateInPlanner) .ends_on(RESOURCE_LIST);
    COMMUNICATOR_CANNOT_START = 3902 PCS Error
        "the communicator cannot start"
        "kommunikationen kan ikke starte"
        START .critical();
    PLANNER_SYNC_UNKNOWN_ERROR = 3903 PCS Error
        "something unforeseen failed while comparing with Planner"
        "noget uforudset gik galt under sammenligningen med Planner"
        LOG .ends_on(COMPARISON);
    PLANNER_SEND_UNKNOWN_ERROR = 3904 PCS Error
        "something unforeseen failed while sending to Planner"
        "noget uforudset gik galt under afsendelsen til Planner"
        LOG .ends_on(PLANNER_CALL);
    RESOURCE_SYNC_UNKNOWN_ERROR = 3905 PCS Error
        "something unforeseen failed while refreshing the resource list"
        "noget uforudset gik galt under opdateringen af ressourcelisten"
        LOG .ends_on(RESOURCE_LIST);
    COMMUNICATOR_DATABASE_FAILED = 3906 PCS Error
        "the communicator cannot work with the database"
        "kommunikationen kan ikke arbejde med databasen"
        DATABASE .critical() .ends_on(DATABASE);
    COMMUNICATOR_SETUP_FAILED = 3907 PCS Error
        "the communicator cannot be set up"
        "kommunikationen kan ikke sættes op"
        START;
    COMMUNICATOR_RUN_FAILED = 3908 PCS Error
        "a round of the communicator failed"
        "en af kommunikationens kørsler mislykkedes"
        LOG .ends_on(COMMUNICATOR);
    OPERATION_UNKNOWN = 3931 PCS Error
        "the operation of a logged item is none of create, update, delete"
        "en logget posts operation er hverken opret, ret eller slet"
        LOG
        .never("the operation is derived from what was decided and what Planner acknowledged; there is no fourth",
            "operationen udledes af det besluttede og det, Planner har kvitteret for; der findes ingen fjerde");
    ITEM_SYNC_FAILED = 3932 PCS Error
        "Planner did not take all appointments of a call"
        "Planner modtog ikke alle aftaler i et kald"
        KEY .in_a_row(3) .ends_on(PLANNER_ITEMS);
    ITEM_SYNC_WITHOUT_LOG = 3933 PCS Error
        "an appointment could not be brought to Planner and has no log of attempts"
        "en aftale kunne ikke bringes til Planner og har ingen log over forsøg"
        KEY .in_a_row(3)
        .never("attempts are counted on the decision itself, and each answer is logged in the transaction that settles it",
            "forsøg tælles på selve beslutningen, og hvert svar logges i den transaktion, der afgør det");
    EVENTS_FETCH_FAILED = 3936 PCS Error
        "Planner's appointments of some mailboxes could not be fetched"
        "Planners aftaler for nogle postkasser kunne ikke hentes"
        FETCH .react(AskPlannerSupport) .ends_on(COMPARISON);

    PLANNER_CALL_FAILED = 6901 PCS Error
        "a call to Planner failed"
        "et kald til Planner mislykkedes"
        PLANNER .in_a_row(3) .ends_on(PLANNER_CALL);
    PLANNER_FAULT = 6902 PCS Error
        "Planner answered with a fault that has no detail"
        "Planner svarede med en fejl uden nærmere oplysninger"
        PLANNER .in_a_row(3) .ends_on(PLANNER_CALL);
    PLANNER_FAULT_DETAILED = 6903 PCS Error
        "Planner answered with a fault that has details"
        "Planner svarede med en fejl med nærmere oplysninger"
        PLANNER .in_a_row(10) .critical() .ends_on(PLANNER_CALL);
    PLANNER_TIMEOUT = 6904 PCS Error
        "Planner did not answer in time"
        "Planner svarede ikke i tide"
        TIMEOUT .in_a_row(10) .ends_on(PLANNER_CALL);
    PLANNER_TRANSPORT_FAILED = 6905 PCS Error
        "the connection to Planner failed"
        "forbindelsen til Planner svigtede"
        PLANNER .in_a_row(10) .ends_on(PLANNER_CALL);
    PLANNER_ANSWER_UNUSABLE = 6906 PCS Error
        "Planner's answer cannot be used"
        "Planners svar kan ikke bruges"
        PLANNER .in_a_row(10) .critical() .ends_on(PLANNER_CALL);

    // 92xx: sending
    RESOURCE_ADDRESS_INVALID = 9201 PCS Warning
        "an entry of the resource list has no usable mail address or cannot be read, it or the part that cannot be read is skipped"
        "en post i ressourcelisten har ingen brugbar mailadresse eller kan ikke læses; den eller den del, der ikke kan læses, springes over"
        RESOURCES .react(InvestigateInPlanner) .ends_on(RESOURCE_ENTRIES);
    RESOURCE_DROP_WITHHELD = 9202 PCS Error
        "the resource list would drop more than 10 and more than 10 % of the resources, or some while an entry that names nobody may be one of them, the drops are withheld until an operator confirms or rejects them (kommuneklient withheld)"
        "ressourcelisten ville fjerne mere end 10 og mere end 10 % af ressourcerne, eller nogle, mens en post, der ikke viser, hvem den er, kan være en af dem; fjernelserne er tilbageholdt, til en operatør bekræfter eller afviser dem (kommuneklient withheld)"
        WITHHELD .react(Decide) .is_a_state();
    KEY_SET_ASIDE = 9203 PCS Error
        "an appointment cannot be brought to Planner as decided and was set aside"
        "en aftale kan ikke bringes til Planner som besluttet og er lagt til side"
        ASIDE .is_a_state();
    CALL_ABANDONED = 9204 PCS Warning
        "a call to Planner ended without a recorded answer, its appointments are sent again"
        "et kald til Planner endte uden et registreret svar; dets aftaler sendes igen"
        NOTHING .quiet();
    BATCHES_SMALLER = 9205 PCS Warning
        "repeated timeouts made the calls to Planner smaller"
        "gentagne timeouts har gjort kaldene til Planner mindre"
        TIMEOUT .quiet();
    SENDING_PAUSED = 9206 PCS Warning
        "calls to Planner fail, sending pauses"
        "kald til Planner mislykkes; afsendelsen holder pause"
        PLANNER .quiet();
    SENDING_RESUMED = 9207 PCS Information
        "calls to Planner succeed again"
        "kald til Planner lykkes igen"
        NOTHING;
    RECEIPT_CODE_UNKNOWN = 9208 PCS Error
        "Planner answered with a receipt code that is not assigned, for the first time"
        "Planner svarede for første gang med en kvitteringskode, der ikke er tildelt"
        KEY .react(AskPlannerSupport);
    MAILBOX_TOO_LARGE = 9209 PCS Error
        "Planner holds more for one mailbox than can be asked for, the mailbox is not compared or adopted"
        "Planner har mere liggende for én postkasse, end der kan spørges om; postkassen afstemmes eller overtages ikke"
        LOG .react(InvestigateInPlanner);

    // 94xx: comparison back
    COMPARISON_WAITS = 9401 PCS Information
        "mailboxes are read in full before they are compared with Planner, their comparison waits for that"
        "postkasser læses fuldt ud, før de sammenlignes med Planner; sammenligningen venter på det"
        COMPARE;
    ROWS_NOT_ASKED_FOR = 9402 PCS Warning
        "Planner answered with appointments of mailboxes that were not asked for, they are never touched"
        "Planner svarede med aftaler for postkasser, der ikke blev spurgt om; de røres aldrig"
        COMPARE .react(AskPlannerSupport);
    COMPARISON_NOT_STORED = 9403 PCS Error
        "what Planner holds for a mailbox cannot be stored, the others go on"
        "det, Planner har for en postkasse, kan ikke gemmes; de andre fortsætter"
        COMPARE .per("mailbox");
    COMPARISON_WITHHELD = 9404 PCS Error
        "Planner holds so many appointments that are not to be there that their deletions are withheld until an operator confirms or rejects them (kommuneklient withheld)"
        "Planner har så mange aftaler, der ikke skal være der, at sletningerne er tilbageholdt, til en operatør bekræfter eller afviser dem (kommuneklient withheld)"
        WITHHELD .react(Decide) .is_a_state();
    COMPARISON_BEGAN = 9405 PCS Information
        "a comparison of all mailboxes began: by its schedule, at start, or made up because it was missed"
        "en sammenligning af alle postkasser begyndte: efter tidsplanen, ved start, eller fordi den var forsømt"
        COMPARE;
    COMPARISON_REPAIRED = 9406 PCS Warning
        "a comparison found that Planner holds something else than was decided, the difference is sent"
        "en sammenligning viste, at Planner har noget andet end besluttet; forskellen sendes"
        COMPARE .quiet();

    // 95xx: operators and the resource list
    RESOURCE_LIST_REQUESTED = 9501 PCS Information
        "an operator asked for the resource list"
        "en operatør bad om ressourcelisten"
        OPERATIONS;
    RESOURCE_DROP_CANCELLED = 9502 PCS Information
        "withheld drops of the resource list are void, a later list lacks few or others"
        "tilbageholdte fjernelser fra ressourcelisten er bortfaldet; en senere liste mangler få eller andre"
        RESOURCES;
}
