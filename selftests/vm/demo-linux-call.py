# SPDX-License-Identifier: GPL-2.0-only
import builtins
builtins.calls = getattr(builtins, "calls", 0) + 1  # 1 each time: nobody was here before
words = re.findall(r"\w+", "a guest that is as new, each time")
print(calls, len(words), hashlib.sha256("".join(words).encode()).hexdigest()[:12],
      ipaddress.ip_address("192.0.2.1") + 41)
