// This browser's time zone by its IANA name: days begin at the visitor's midnight.

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
