// All tests of the page, and of the report of `umqtt bench`, one after the other in one process: they share two processors
// with whatever else is going on.

import "./examples.mjs";
import "./page.mjs";
import "./wokwi.mjs";
import "./boards.mjs";
import "./access.mjs";
import "./class.mjs";
import "./report.mjs";
