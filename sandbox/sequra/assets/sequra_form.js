// The pretend SeQura's form script: runs in the shop's page and looks after the form's iframe.
(function () {
  "use strict";

  var element = window.SequraFormElement;
  var closeCallback = null;

  function frame() {
    return document.getElementById(element);
  }

  function origin() {
    return new URL(frame().src).origin;
  }

  function hide() {
    var iframe = frame();
    if (iframe) iframe.style.display = "none";
    document.documentElement.style.overflow = "";
  }

  function call(name) {
    if (name && typeof window[name] === "function") window[name]();
    return Boolean(name && typeof window[name] === "function");
  }

  var actions = {
    close: function () {
      (closeCallback || instance.defaultCloseCallback)();
    },
    finish: function (message) {
      if (call(message.callback)) hide();
      else window.top.location.assign(message.url);
    },
    reject: function (message) {
      if (call(message.callback)) hide();
    },
  };

  function listen(event) {
    var iframe = frame();
    if (!iframe) return window.removeEventListener("message", listen);
    if (event.source !== iframe.contentWindow || event.origin !== origin()) return;
    var message = event.data || {};
    if (message.from === "sequra" && actions[message.action]) actions[message.action](message);
  }

  var instance = {
    show: function () {
      frame().style.display = "block";
      document.documentElement.style.overflow = "hidden";
    },
    setCloseCallback: function (callback) {
      closeCallback = callback;
    },
    defaultCloseCallback: hide,
  };

  window.addEventListener("message", listen);
  window.SequraFormInstance = instance;
})();
