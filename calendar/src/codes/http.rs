//! The codes of the service's own listeners, 9660 to 9679: what is refused there, and the certificate of the admin calls.

use base::event_entry::Reaction::CorrectConfiguration;

use super::success::ADMIN_CERTIFICATE;

codes! {
    HTTP_TABLE, HTTP_NAMES;

    HTTP_HEAD_REFUSED = 9660 ALL Warning
        "a request to one of the service's own listeners was refused: its head is too large or is none"
        "en forespørgsel til en af tjenestens egne lyttere blev afvist: dens hoved er for stort eller er ikke et hoved"
        PEERS .in_a_day(20);
    HTTP_SLOW_CLOSED = 9661 ALL Warning
        "a connection to one of the service's own listeners was closed: what was to come over it did not come in time"
        "en forbindelse til en af tjenestens egne lyttere blev lukket: det, der skulle komme, kom ikke i tide"
        PEERS .in_a_day(20);
    HTTP_CONNECTION_REFUSED = 9662 ALL Warning
        "a connection to one of the service's own listeners was refused: too many are open, of one peer or in all"
        "en forbindelse til en af tjenestens egne lyttere blev afvist: for mange er åbne, fra én modpart eller i alt"
        PEERS .in_a_day(20);
    HTTP_BODY_REFUSED = 9663 ALL Warning
        "an admin call over HTTP was refused: its body is too large"
        "et administrationskald over HTTP blev afvist: dets indhold er for stort"
        PEERS .in_a_day(20);
    HTTP_HANDSHAKE_REFUSED = 9664 ALL Warning
        "a connection for admin calls was refused: no TLS 1.2 or 1.3, or no certificate that counts"
        "en forbindelse til administrationskald blev afvist: ikke TLS 1.2 eller 1.3, eller intet certifikat, der gælder"
        PEERS .in_a_day(20);
    ADMIN_TOKEN_GUESSED = 9665 ALL Error
        "somebody tries one wrong admin token after the other, they are not looked at any more for a while"
        "nogen prøver den ene forkerte administrationsnøgle efter den anden; der ses bort fra dem et stykke tid"
        PEERS;
    ADMIN_CERTIFICATES_RENEWED = 9666 ALL Information
        "the files with the certificates of the admin calls have changed and are in use"
        "filerne med administrationskaldenes certifikater er ændret og i brug"
        NOTHING;
    ADMIN_CERTIFICATES_UNUSABLE = 9667 ALL Error
        "the changed files with the certificates of the admin calls cannot be used, the old ones stay in use"
        "de ændrede filer med administrationskaldenes certifikater kan ikke bruges; de gamle bruges fortsat"
        ADMIN_FILES .react(CorrectConfiguration);
    ADMIN_CERTIFICATE_ENDS = 9668 ALL Warning
        "the certificate of the admin calls expires within 60 days or has expired"
        "administrationskaldenes certifikat udløber inden for 60 dage eller er udløbet"
        ADMIN_FILES .react(CorrectConfiguration) .ends_on(ADMIN_CERTIFICATE);
}
