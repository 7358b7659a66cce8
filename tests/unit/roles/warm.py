# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs playbooks that meet no host, in forks of a process that has loaded Ansible, tasks and modules included.

A line on its input is a list of runs: words for ansible-playbook, and files for what it says. It answers with their
exit statuses. Ansible itself parses, templates, decides and prints as ever. Starting programs is most of what such a
run takes, and that is left out.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import sys
import traceback

from ansible._internal import _task
from ansible._internal._templating._jinja_bits import _TemplateCompileContext
from ansible.cli.playbook import PlaybookCLI
from ansible.executor.process.worker import WorkerProcess
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.module_utils import basic
from ansible.modules import command, copy, stat
from ansible.plugins.action import ActionBase
from jinja2 import Environment

# What every run loads, kept here for all of them.
KEPT = """action.normal become.su become.sudo callback.default callback.junit callback.minimal callback.oneline
callback.tree connection.local connection.paramiko_ssh connection.psrp connection.ssh connection.winrm inventory.auto
inventory.ini inventory.script inventory.toml inventory.yaml shell.cmd shell.powershell shell.sh strategy.linear
vars.host_group_vars"""
MODULES = {"command": command, "copy": copy, "stat": stat}
execute_elsewhere = ActionBase._execute_module
compile_anew = Environment.compile
code = {}


def execute_module(self, module_name=None, module_args=None, tmp=None, task_vars=None, **options):
    """What a module of MODULES answers, called as a function. Others run as they always do."""
    name = module_name or self._task.action
    module = MODULES.get(name.rpartition(".")[2])
    if module is None:
        return execute_elsewhere(self, module_name, module_args, tmp, task_vars, **options)
    arguments = dict(self._task.args if module_args is None else module_args)
    self._update_module_args(name, arguments, task_vars, ignore_unknown_opts=options.get("ignore_unknown_opts", False))
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    here, said = os.getcwd(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        module.main()
    os.chdir(here)
    answer = json.loads(said.getvalue())
    for stream in ("stdout", "stderr"):
        if stream in answer:
            answer.setdefault(f"{stream}_lines", answer[stream].splitlines())
    return answer


def start(self):
    """Does the task at once, on a copy of its own, as a fork would have it."""
    job = self._task.copy()
    job._uuid = self._task._uuid
    vars_, context = self._task_vars, self._play_context.copy()
    with _task.TaskContext(job):
        found = TaskExecutor(
            self._host,
            job,
            vars_,
            context,
            self._loader,
            self._shared_loader_obj,
            self._final_q,
            self._variable_manager,
        ).run()
        done = _RawTaskResult(host=self._host, task=job, return_data=found, task_fields=job.dump_attrs())
        self._final_q.send_task_result(done)


def compiled(self, source, name=None, filename=None, raw=False, defer_init=False):
    """A template's code, made once for a text: Ansible makes it anew for every task and host."""
    context = _TemplateCompileContext.current(optional=True)
    key = (type(self), repr(source), name, filename, raw, defer_init, context and context.escape_backslashes)
    if self.overlayed:  # a template with settings of its own
        return compile_anew(self, source, name, filename, raw, defer_init)
    if key not in code:
        code[key] = compile_anew(self, source, name, filename, raw, defer_init)
    return code[key]


def run(words, out, err):
    """In a fork: ansible-playbook, whose output goes into two files."""
    for path, mode, number in (("/dev/null", os.O_RDONLY, 0), (out, os.O_WRONLY, 1), (err, os.O_WRONLY, 2)):
        os.dup2(os.open(path, mode), number)
    status = 250
    try:
        status = PlaybookCLI(["ansible-playbook", *words]).run()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_all(runs):
    """The exit statuses of runs, as many at a time as there are processors."""
    waiting, begun, statuses = list(enumerate(runs)), {}, {}
    while waiting or begun:
        while waiting and len(begun) < (os.cpu_count() or 1):
            number, arguments = waiting.pop(0)
            pid = os.fork()
            if not pid:
                run(*arguments)
            begun[pid] = number
        pid, status = os.wait()
        statuses[begun.pop(pid)] = os.waitstatus_to_exitcode(status)
    return [statuses[number] for number in range(len(runs))]


if __name__ == "__main__":
    WorkerProcess.start = start
    ActionBase._execute_module = execute_module
    Environment.compile = compiled
    for name in KEPT.split():
        with contextlib.suppress(ImportError):  # a release has another set of them
            importlib.import_module(f"ansible.plugins.{name}")
    gc.disable()
    for line in sys.stdin:
        print(json.dumps(run_all(json.loads(line))), flush=True)
