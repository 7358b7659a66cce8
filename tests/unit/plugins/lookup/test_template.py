"""The lookup of templates: the same text as Ansible's own, from the variables as they are."""

from __future__ import annotations

from functools import partial

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template
from ansible_collections.mainstay.platform.plugins.lookup import template

WHOLE = r"""{{ ansible_managed | comment }}
{% for each in names %}
  {{ each }}
{% endfor %}
{% include 'part.j2' %}
end\n
"""


class Uncopied(list):
    """Says so when somebody copies it in depth."""

    def __deepcopy__(self, _known):
        raise AssertionError("copied")


def look(root, name, lookup=template.LookupModule, **variables):
    templates = root / "templates"
    templates.mkdir(exist_ok=True)
    (templates / "whole.j2").write_text(WHOLE)
    (templates / "part.j2").write_text("{{ inner }}\n")
    known = {"ansible_search_path": [str(root)], "inner": trust_as_template("{{ outer }}"), **variables}
    templar = Templar(loader=DataLoader(), variables=known)
    return lookup(loader=DataLoader(), templar=templar).run([name], known)


def test_it_gives_what_ansible_gives(tmp_path):
    values = {"names": ["a", "b"], "outer": "x"}
    (text,) = look(tmp_path, "whole.j2", **values)
    assert text == "#\n# Ansible managed\n#\n  a\n  b\nxend\\n\n"
    assert [text] == look(tmp_path, "whole.j2", partial(lookup_loader.get, "template"), **values)


def test_who_manages_it_is_for_the_user_to_say(tmp_path):
    assert "# by us" in look(tmp_path, "whole.j2", names=[], outer="", ansible_managed="by us")[0]


def test_nothing_is_copied(tmp_path):
    look(tmp_path, "whole.j2", names=[], outer="", other=Uncopied())


@pytest.mark.parametrize(("name", "words"), [("none.j2", "found no none.j2"), ("whole.j2", "'outer' is undefined")])
def test_what_is_missing_is_said(tmp_path, name, words):
    with pytest.raises(AnsibleError, match=words):
        look(tmp_path, name, names=[])
