// What the forms for one job and for a strategy ask alike: what the release says, unless a person says otherwise.

import { field, input, select } from "./fields.js";

const AS_RELEASED = [
  ["", "As the release says"],
  ["true", "Yes"],
  ["false", "No"],
];
const RECOVER = [
  ["", "As the release says"],
  ["always", "Back to what was there"],
  ["never", "Left as it is, to be looked at"],
];

export const asReleased = () => [
  field(
    "publication",
    "Release of this publication",
    input("publication"),
    "The id of a publication under way, in place of a release: it waits until that is available",
  ),
  field("recover", "When a site fails", select("recover", RECOVER)),
  field("reset_overrides", "Forget the site's own values", select("reset_overrides", AS_RELEASED)),
  field("reset_attributes", "Forget what is on there, and where", select("reset_attributes", AS_RELEASED)),
];
