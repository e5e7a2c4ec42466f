//! What to look at: one hint for each kind of situation, shared by the codes that are of that kind.

use base::event_entry::{Bilingual, Hint};

macro_rules! hints {
    ($($(#[$doc:meta])* $name:ident = $en:literal $da:literal [$($command:literal),*];)*) => {
        $($(#[$doc])* pub(super) const $name: Hint =
            Hint { words: Bilingual { en: $en, da: $da }, commands: &[$($command),*] };)*
    };
}

hints! {
    NOTHING =
        "Nothing to do: the program copes by itself."
        "Der er intet at gøre: programmet klarer det selv."
        [];
    LOG =
        "The log line with this code names the error behind it. If it comes again, report it with those lines."
        "Loglinjen med koden viser den bagvedliggende fejl. Kommer den igen, så indberet den med loglinjerne."
        ["kommuneklient status"];
    START =
        "The last lines of the log name the setting, the file or the database at fault. Correct it and start again."
        "De sidste linjer i loggen nævner den indstilling, den fil eller den database, der er noget galt med. Ret det, og start igen."
        ["kommuneklient config check FILE", "kommuneklient doctor"];
    DATABASE =
        "Does PostgreSQL run, is it reached from this machine, has its disk room, does it take the account? What waits is sent afterwards."
        "Kører PostgreSQL, kan den nås fra denne maskine, er der plads på disken, og accepterer den kontoen? Det, der venter, bliver sendt bagefter."
        ["kommuneklient doctor", "kommuneklient status"];
    MAILBOX =
        "Does the mailbox exist, has it a calendar, and may the service account read it (right on the folder, delegation or impersonation)? A mailbox that is no longer to be used is deleted in Planner, or blocked here."
        "Findes postkassen, har den en kalender, og må servicekontoen læse den (rettighed på mappen, delegering eller impersonering)? En postkasse, der ikke længere skal bruges, slettes i Planner eller spærres her."
        ["kommuneklient doctor MAILBOX", "kommuneklient resources list"];
    LOCATE =
        "Does Autodiscover answer for the address, and is the address in Planner spelled as in Exchange? Without Autodiscover set exchange.service_url."
        "Svarer Autodiscover for adressen, og er adressen stavet ens i Planner og i Exchange? Uden Autodiscover sættes exchange.service_url."
        ["kommuneklient doctor MAILBOX"];
    EXCHANGE =
        "Is Exchange reached from this machine (port 443, certificate), and does it work otherwise? Everything is caught up afterwards."
        "Kan Exchange nås fra denne maskine (port 443, certifikat), og virker den i øvrigt? Alt bliver indhentet bagefter."
        ["kommuneklient doctor", "kommuneklient status"];
    BUSY =
        "Exchange limits the account. If this lasts, look at the throttling policy of the service account, or add accounts."
        "Exchange begrænser kontoen. Varer det ved, så se på servicekontoens throttling-politik, eller tilføj flere konti."
        ["kommuneklient credential list", "kommuneklient status"];
    LOGON =
        "Name and password of the service account, and whether the directory has locked it."
        "Servicekontoens navn og adgangskode, og om kontoen er låst i Active Directory."
        ["kommuneklient credential test", "kommuneklient credential list"];
    ACCOUNTS =
        "Add service accounts, or raise listener.subscription_groups_per_credential if Exchange allows more streams for each."
        "Tilføj servicekonti, eller hæv listener.subscription_groups_per_credential, hvis Exchange tillader flere strømme pr. konto."
        ["kommuneklient credential list", "kommuneklient status"];
    STREAM =
        "The stream is opened anew and everything is caught up. If it breaks again and again, look for a proxy or firewall that cuts long connections."
        "Strømmen åbnes igen, og alt bliver indhentet. Brydes den igen og igen, så se efter en proxy eller firewall, der afbryder lange forbindelser."
        ["kommuneklient status", "kommuneklient doctor"];
    APPOINTMENT =
        "The appointment itself: let its owner open it, save it and close it. What Planner holds of it is left until it can be read."
        "Selve aftalen: lad ejeren åbne den, gemme den og lukke den. Det, Planner har om den, bliver stående, indtil den kan læses."
        ["kommuneklient explain MAILBOX"];
    PRIVATE =
        "Give the service account the right to see private items of the calendar, or impersonation; otherwise private appointments do not block in Planner."
        "Giv servicekontoen ret til at se private elementer i kalenderen, eller impersonering; ellers optager private aftaler ikke tid i Planner."
        ["kommuneklient doctor MAILBOX"];
    ASIDE =
        "Which ones, and why. When the cause is gone, let them be tried again."
        "Hvilke det drejer sig om, og hvorfor. Når årsagen er væk, kan de forsøges igen."
        ["kommuneklient set-aside list", "kommuneklient set-aside retry --mailbox MAILBOX"];
    KEY =
        "What was decided for the appointment, what was sent and what Planner answered."
        "Hvad der blev besluttet for aftalen, hvad der blev sendt, og hvad Planner svarede."
        ["kommuneklient explain MAILBOX", "kommuneklient set-aside list --mailbox MAILBOX"];
    WITHHELD =
        "Are the appointments really gone? Then confirm; otherwise find out why they were not seen (rights, restored mailbox), and reject."
        "Er aftalerne virkelig væk? Så bekræft. Ellers find ud af, hvorfor de ikke blev set (rettigheder, gendannet postkasse), og afvis."
        ["kommuneklient withheld list", "kommuneklient withheld show RUN", "kommuneklient withheld confirm RUN", "kommuneklient withheld reject RUN"];
    RESOURCES =
        "The list in Planner, and what was taken over from it. Correct the employees in Planner and fetch the list again."
        "Listen i Planner, og hvad der blev overtaget fra den. Ret medarbejderne i Planner, og hent listen igen."
        ["kommuneklient resources list", "kommuneklient resources refresh"];
    PLANNER =
        "Is Planner reached from this machine, is the client certificate valid, and does Planner have an outage? Everything waits and is sent afterwards. Planner's support finds a call by its id in service_call_reference_log."
        "Kan Planner nås fra denne maskine, er klientcertifikatet gyldigt, og har Planner driftsforstyrrelser? Alt venter og bliver sendt bagefter. Planners support kan finde et kald på dets id i service_call_reference_log."
        ["kommuneklient status", "kommuneklient doctor"];
    TIMEOUT =
        "It heals itself, with smaller calls. Many within 15 minutes: lower planner.max_calendar_event_updates_per_call. If it persists, ask Planner's support."
        "Det retter sig selv med mindre kald. Mange inden for 15 minutter: sænk planner.max_calendar_event_updates_per_call. Varer det ved, så kontakt Planners support."
        ["kommuneklient status"];
    FETCH =
        "The call failed, for whatever reason: first see whether Planner is reached from this machine (network, firewall, certificate); the code that came with it (6901 to 6906) says what went wrong. Only if Planner is reached and the mailboxes of the event fail again and again, ask Planner's support. It is tried again by itself."
        "Kaldet mislykkedes, uanset hvorfor: se først, om Planner kan nås fra denne maskine (netværk, firewall, certifikat); koden, der kom samtidig (6901 til 6906), siger, hvad der gik galt. Kun hvis Planner kan nås, og hændelsens postkasser fejler igen og igen, kontaktes Planners support. Det forsøges igen af sig selv."
        ["kommuneklient doctor", "kommuneklient status", "kommuneklient operations"];
    COMPARE =
        "What the comparison is waiting for or found; nothing is lost, it is made again."
        "Hvad sammenligningen venter på eller fandt; intet går tabt, den laves igen."
        ["kommuneklient operations", "kommuneklient explain MAILBOX"];
    SCHEDULES =
        "The times in the configuration, and the error in the log line. What was missed is made up."
        "Tidspunkterne i konfigurationen og fejlen i loglinjen. Det, der blev forsømt, bliver indhentet."
        ["kommuneklient config check FILE", "kommuneklient status"];
    SEALS =
        "The file of the sealing key: whose it is, who may read it, and whether it is the key that the secrets were sealed under."
        "Filen med forseglingsnøglen: hvem der ejer den, hvem der må læse den, og om det er den nøgle, hemmelighederne er forseglet med."
        ["kommuneklient secrets status", "kommuneklient credential test"];
    RENEWAL =
        "Order a new function certificate in time (STAR's approval can take a month), and replace the files: they are read again without a restart. Of STAR's own certificates get the new ones from STAR."
        "Bestil et nyt funktionscertifikat i god tid (STARs godkendelse kan tage en måned), og udskift filerne: de læses igen uden genstart. STARs egne certifikater fås fra STAR."
        ["kommuneklient doctor"];
    CERTIFICATES =
        "The files of planner.client_certificate, its key and its password: do they belong together, is the certificate valid, and has STAR approved it? The log line says what is wrong."
        "Filerne i planner.client_certificate, nøglen og adgangskoden: hører de sammen, er certifikatet gyldigt, og har STAR godkendt det? Loglinjen siger, hvad der er galt."
        ["kommuneklient doctor"];
    SERVER_CERTIFICATE =
        "Planner's certificate is from another authority, for another name, expired, or not the pinned one. If STAR has announced a new one, put it into planner.server_pin_file or its root into planner.root_certificates; otherwise somebody stands in between."
        "Planners certifikat er fra en anden udsteder, til et andet navn, udløbet eller ikke det fastlåste. Har STAR varslet et nyt, så læg det i planner.server_pin_file eller dets rod i planner.root_certificates; ellers står der nogen imellem."
        ["kommuneklient doctor"];
    SIGNATURE =
        "The log line says what is wrong with the signature. If STAR has announced a new signing certificate, add it to planner.answer_certificates; check this machine's clock; otherwise somebody changes answers on the way. What was sent is compared with Planner before anything is repeated."
        "Loglinjen siger, hvad der er galt med signaturen. Har STAR varslet et nyt signeringscertifikat, så tilføj det i planner.answer_certificates; kontrollér maskinens ur; ellers ændrer nogen svar undervejs. Det sendte sammenlignes med Planner, før noget gentages."
        ["kommuneklient doctor", "kommuneklient status"];
    PEERS =
        "The log line names the address and the listener (http.listen or http.admin_listen). Is it a program of your own, set it right; otherwise close the port to that network, and change the admin token if it may be known."
        "Loglinjen viser adressen og lytteren (http.listen eller http.admin_listen). Er det et af jeres egne programmer, så ret det; ellers luk porten for det netværk, og skift administrationsnøglen, hvis den kan være kendt."
        ["kommuneklient operations"];
    ADMIN_CALLS =
        "The log line with this code names the address of the caller. Is it a program of your own that still holds an old token, give it the present one (http.admin_token); if nobody knows the address, somebody tries: close the port to that network, and change the token if it may be known."
        "Loglinjen med koden viser, hvilken adresse kaldet kom fra. Er det et af jeres egne programmer, der stadig har en gammel nøgle, så giv det den nuværende (http.admin_token); kender ingen adressen, er der nogen, der prøver sig frem: luk porten for det netværk, og skift nøglen, hvis den kan være kendt."
        ["kommuneklient doctor"];
    ADMIN_FILES =
        "The files of http.admin_certificate, http.admin_key and http.admin_client_authorities: the log line says what is wrong, or when the certificate ends. They are read again without a restart."
        "Filerne i http.admin_certificate, http.admin_key og http.admin_client_authorities: loglinjen siger, hvad der er galt, eller hvornår certifikatet udløber. De læses igen uden genstart."
        ["kommuneklient config check FILE"];
    MIGRATION =
        "Apply the migrations of this version with the account that owns the schema; the service goes on by itself."
        "Udfør denne versions migreringer med den konto, der ejer skemaet; tjenesten fortsætter selv."
        ["kommuneklient migrate --config FILE"];
    INSTANCES =
        "Which instances run, with which settings, and what each owns; a process that was frozen or starved loses what it owned."
        "Hvilke instanser der kører, med hvilke indstillinger, og hvad hver ejer; en proces, der stod stille eller manglede regnekraft, mister det, den ejede."
        ["kommuneklient status"];
    OPERATIONS =
        "Who asked for what, and how far it is."
        "Hvem der bad om hvad, og hvor langt det er."
        ["kommuneklient operations"];
}
