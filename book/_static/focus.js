// The theme takes the focus from its switch of colours when that is pressed. Who presses it by keyboard keeps it.
document.addEventListener("click", (event) => {
  const pressed = event.target.closest(".theme-switch-button");
  if (pressed && event.detail === 0) pressed.focus(); // a mouse's clicks are counted
});
