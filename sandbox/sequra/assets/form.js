// The identification form inside the iframe.
(function () {
  "use strict";

  var data = JSON.parse(document.getElementById("form-data").textContent);
  var texts = data.texts;
  var sentences = {
    blank: texts.blank,
    phone: texts.wrong_phone,
    date: texts.wrong_date,
    nin: texts.wrong_nin,
    privacy: texts.wrong_privacy,
  };
  var wholeWait = 60000;
  var pause = 500;
  var identification = document.querySelector('[data-step="identification"]');
  var otp = document.querySelector('[data-step="otp"]');
  var digits = Array.prototype.slice.call(otp.querySelectorAll("input"));
  var leaving = {};
  var started = 0;

  function tell(action, message) {
    window.parent.postMessage(Object.assign({}, message, { from: "sequra", action: action }), "*");
  }

  function show(name) {
    document.querySelectorAll(".step").forEach(function (step) {
      step.hidden = step.dataset.step !== name;
    });
    var first = document.querySelector('[data-step="' + name + '"] input, [data-step="' + name + '"] button');
    if (first) first.focus();
  }

  function send(path, body) {
    return fetch("/api/v1/checkout/" + data.uuid + "/" + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(Object.assign({ secret: data.secret, product: data.product, campaign: data.campaign }, body)),
    })
      .then(function (answer) {
        if (!answer.ok) throw new Error("answer " + answer.status);
        return answer.json();
      })
      .then(next)
      .catch(function () {
        show("error");
      });
  }

  function mistakes(errors) {
    identification.querySelectorAll(".field").forEach(function (field) {
      var input = field.querySelector("input");
      var sentence = field.querySelector(".mistake");
      var wrong = errors[input.name];
      sentence.hidden = !wrong;
      sentence.textContent = sentences[wrong] || "";
      input.setAttribute("aria-invalid", wrong ? "true" : "false");
    });
    var first = identification.querySelector('[aria-invalid="true"]');
    if (first) first.focus();
  }

  function wait() {
    if (Date.now() - started > wholeWait) return show("error");
    window.setTimeout(function () {
      send("wait", {});
    }, pause);
  }

  var screens = {
    require_identification: function (answer) {
      show("identification");
      mistakes(answer.errors || {});
    },
    require_validate_otp: function (answer) {
      document.getElementById("phone").textContent = identification.elements.mobile_phone.value;
      document.getElementById("otp-mistake").hidden = !answer.error;
      digits.forEach(function (digit) {
        digit.value = "";
      });
      show("otp");
    },
    wait_for_confirmation: function () {
      if (!started) {
        started = Date.now();
        show("waiting");
      }
      wait();
    },
    finish: function (answer) {
      show("approved");
      tell("finish", answer);
    },
    show_on_hold: function (answer) {
      leaving = answer;
      show("on_hold");
    },
    reject: function (answer) {
      show("reject");
      tell("reject", answer);
    },
    show_conflict: function () {
      show("conflict");
    },
    show_error: function () {
      show("error");
    },
  };

  function next(answer) {
    (screens[answer.action] || screens.show_error)(answer);
  }

  identification.addEventListener("submit", function (event) {
    event.preventDefault();
    var found = { privacy: identification.elements.privacy.checked };
    ["given_names", "surnames", "mobile_phone", "date_of_birth", "nin"].forEach(function (name) {
      found[name] = identification.elements[name].value;
    });
    mistakes({});
    send("identification", found);
  });

  otp.addEventListener("submit", function (event) {
    event.preventDefault();
    send("validate_otp", {
      otp: digits
        .map(function (digit) {
          return digit.value;
        })
        .join(""),
    });
  });

  digits.forEach(function (digit, place) {
    digit.addEventListener("input", function () {
      digit.value = digit.value.replace(/\D/g, "").slice(-1);
      if (digit.value && digits[place + 1]) digits[place + 1].focus();
    });
    digit.addEventListener("keydown", function (event) {
      if (event.key === "Backspace" && !digit.value && place) digits[place - 1].focus();
    });
    digit.addEventListener("paste", function (event) {
      var pasted = event.clipboardData.getData("text").replace(/\D/g, "");
      if (pasted.length < 2) return;
      event.preventDefault();
      digits.forEach(function (each, position) {
        each.value = pasted[position] || "";
      });
      digits[Math.min(pasted.length, digits.length) - 1].focus();
    });
  });

  function close() {
    tell("close");
  }

  document.getElementById("close").addEventListener("click", close);
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") close();
  });
  document.querySelectorAll('[data-action="close"]').forEach(function (button) {
    button.addEventListener("click", close);
  });
  document.querySelector('[data-action="leave"]').addEventListener("click", function () {
    tell("finish", leaving);
  });
  // Before this moment a click would have sent the form the old way, and left the page; and a
  // browser draws no frame of an iframe that is still hidden.
  window.requestAnimationFrame(function () {
    document.querySelectorAll("fieldset[disabled], button[disabled]").forEach(function (part) {
      part.disabled = false;
    });
  });
})();
