// Buttons that are off or at rest. They keep the focus and can be asked why: a `disabled` one loses the focus of who has
// just pressed it, and is passed over by whoever goes through the page with the keyboard.

const OFF = "[aria-disabled=true]";

/** Switch a button or link off and say why; on again where there is no reason. */
export function setOff(element, why) {
  if (why) {
    element.setAttribute("aria-disabled", "true");
    element.setAttribute("aria-description", why);
  } else {
    element.removeAttribute("aria-disabled");
    element.removeAttribute("aria-description");
  }
  element.title = why;
}

/** Let a button rest while its work is done. Returns what wakes it; null where it rests already. */
export function rest(button) {
  if (button.ariaBusy === "true") return null;
  button.ariaBusy = button.ariaDisabled = "true";
  return () => {
    button.ariaBusy = button.ariaDisabled = null;
  };
}

/** From now on what is off does nothing; `tell(why)` is called when somebody presses it. */
export function heedOff(tell) {
  const stop = (event) => {
    const pressed = event.target.closest(OFF);
    if (!pressed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (pressed.title) tell(pressed.title);
  };
  addEventListener("click", stop, { capture: true });
}
