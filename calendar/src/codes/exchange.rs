//! The codes of what listener and qualifier share: calls to Exchange and the accounts that make them.

use base::event_entry::Reaction::{CorrectConfiguration, InvestigateInExchange};

use super::success::EXCHANGE_ANSWER;

codes! {
    EXCHANGE_TABLE, EXCHANGE_NAMES;

    EXCHANGE_BUSY = 5201 ELS Warning
        "Exchange says that it is busy"
        "Exchange melder, at den er optaget"
        BUSY .in_a_row(3) .per("account") .ends_on(EXCHANGE_ANSWER);
    EXCHANGE_UNKNOWN_ERROR = 5901 ELS Error
        "something unforeseen failed in a call to Exchange"
        "noget uforudset gik galt i et kald til Exchange"
        EXCHANGE
        .told_as(&[2907, 4906, 4922, 4937],
            "told by the stage that made the call, with the mailbox",
            "meldes af det led, der foretog kaldet, med postkassen");
    EXCHANGE_RETRIES_EXHAUSTED = 5902 ELS Error
        "a call to Exchange failed too many times"
        "et kald til Exchange mislykkedes for mange gange"
        EXCHANGE
        .told_as(&[5201],
            "calls to a busy Exchange wait as long as it asks and are then made again, without a limit; 5201 alerts when that lasts",
            "kald til en optaget Exchange venter, så længe den beder om, og gentages uden grænse; 5201 alarmerer, når det varer ved");
    CALENDAR_NOT_FOUND = 5903 ELS Error
        "an account has no calendar"
        "en konto har ingen kalender"
        MAILBOX .react(InvestigateInExchange)
        .told_as(&[4916],
            "a mailbox without a calendar is noticed when the listener opens it",
            "en postkasse uden kalender opdages, når lytteren åbner den");
    AUTODISCOVER_MISSING = 5904 ELS Error
        "there is no autodiscovery information for an account"
        "der er ingen Autodiscover-oplysninger for en konto"
        LOCATE .react(InvestigateInExchange)
        .told_as(&[4929, 4930],
            "noticed when the listener locates the mailbox",
            "opdages, når lytteren lokaliserer postkassen");
    SERVICE_ACCOUNT_UNKNOWN = 5905 ELS Error
        "the service account towards Exchange is not configured"
        "servicekontoen til Exchange er ikke konfigureret"
        ACCOUNTS .react(CorrectConfiguration)
        .told_as(&[4933],
            "the start is refused without an account and a sealing key; where accounts can be in the database and there is none, 4933 tells it",
            "uden konto og forseglingsnøgle afvises starten; kan der være konti i databasen, og er der ingen, melder 4933 det");

    // 90xx and 96xx: accounts and secrets
    LOGON_REFUSED = 9006 ELS Error
        "Exchange refuses the service account: its name or password is wrong, or it is locked"
        "Exchange afviser servicekontoen: navn eller adgangskode er forkert, eller kontoen er låst"
        LOGON .react(CorrectConfiguration) .critical() .per("account") .ends_on(EXCHANGE_ANSWER);
    SEALING_KEY_EXPOSED = 9601 ALL Warning
        "others than its owner can read or change the file of a sealing key"
        "andre end ejeren kan læse eller ændre en forseglingsnøgles fil"
        SEALS .react(CorrectConfiguration);
    CREDENTIAL_UNUSABLE = 9602 ELS Error
        "the password of a service account cannot be opened, the account is not used"
        "en servicekontos adgangskode kan ikke åbnes; kontoen bruges ikke"
        SEALS .react(CorrectConfiguration);
    ACCOUNTS_CHANGED = 9603 ELS Information
        "service accounts were added, changed or removed, and are used so from now on"
        "servicekonti er tilføjet, ændret eller fjernet og bruges sådan fra nu af"
        NOTHING;
    BACK_OFFS_NOT_SHARED = 9610 ELS Warning
        "the back-offs of service accounts could not be shared with other instances"
        "servicekontienes ventetider kunne ikke deles med andre instanser"
        DATABASE .quiet();

    // 9640-9659: logging on, and whom it is told to
    LOGIN_WEAKENED = 9640 ELS Error
        "Exchange, or somebody between, asks for a weaker login than NTLMv2; nothing made of the password was sent"
        "Exchange, eller nogen imellem, beder om et svagere login end NTLMv2; intet afledt af adgangskoden blev sendt"
        LOGON .react(InvestigateInExchange) .critical() .per("account") .ends_on(EXCHANGE_ANSWER);
    LOGIN_NOT_OFFERED = 9641 ELS Error
        "Exchange does not offer the way to log on that exchange.authentication names"
        "Exchange tilbyder ikke den loginmetode, som exchange.authentication angiver"
        LOGON .react(CorrectConfiguration) .critical() .per("account") .ends_on(EXCHANGE_ANSWER);
    TOKEN_REFUSED = 9642 ELS Error
        "the token service refuses the service account (client id, secret, scope or consent)"
        "tokentjenesten afviser servicekontoen (klient-id, hemmelighed, scope eller samtykke)"
        LOGON .react(CorrectConfiguration) .critical() .per("account") .ends_on(EXCHANGE_ANSWER);
    TOKEN_UNAVAILABLE = 9643 ELS Warning
        "no token could be had from the token service"
        "der kunne ikke hentes et token fra tokentjenesten"
        LOGON .in_a_row(3) .per("account") .ends_on(EXCHANGE_ANSWER);
    ANY_CERTIFICATE = 9644 ALL Error
        "the certificates of Exchange are not verified: whoever is in between can read and change everything"
        "Exchanges certifikater kontrolleres ikke: enhver imellem kan læse og ændre alt"
        LOGON .react(CorrectConfiguration) .critical();
}
