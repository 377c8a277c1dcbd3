"""Google's generateContent at the demo: `paths` finds what is asked of which model, `fields` reads bodies in any of
Google's spellings, `dialect` reads requests and encodes replies, `lists` has the other endpoints."""
