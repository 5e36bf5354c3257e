// The time zone of this browser by its IANA name: days begin where the visitor is.

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
