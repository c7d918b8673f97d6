// The forms in which somebody could leave an address.
(() => {
  const mail = (input) => input.type === 'email'
    || (['text', 'search'].includes(input.type) && /(^|[-_\s])e-?mail/i.test(`${input.name} ${input.autocomplete}`));
  const button = (node) => node.matches('button:not([type=button]):not([type=reset]),input[type=submit],input[type=image]');
  const described = (form) => {
    const parts = [...form.elements].filter((node) => node.matches('input,select,textarea,button'));
    const fields = parts.filter((node) => !button(node) && node.type !== 'hidden' && node.type !== 'button');
    const emails = fields.filter((node) => node.matches('input') && mail(node));
    const submits = parts.filter(button);
    return {
      name: named(form),
      action: form.getAttribute('action') === null ? location.href : form.action,
      method: form.method,
      visible: visible(form),
      emails: emails.map((node) => ({ element: named(node), label: labelled(node), visible: visible(node) })),
      submits: submits.map((node) => ({
        element: named(node), visible: visible(node), disabled: node.disabled,
        label: (node.innerText || node.value || node.alt || '').trim() || labelled(node),
      })),
      unlabelled: fields.filter((node) => visible(node) && !labelled(node)).map(named).slice(0, LIMIT),
      passwords: fields.filter((node) => node.type === 'password').length,
      files: fields.filter((node) => node.type === 'file' && node.required).length,
    };
  };
  const forms = [...document.forms];
  return {
    count: forms.length,
    forms: forms.slice(0, 10).map(described),
    loose_emails: [...document.querySelectorAll('input')].filter((node) => !node.form && mail(node)).length,
  };
})()
