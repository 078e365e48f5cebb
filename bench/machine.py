"""What the measurements ran on: processor, instruction sets, memory, compiler, and the program itself."""
import os
import platform
import re
import subprocess

SETS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def read(path):
    try:
        with open(path, encoding="utf8") as f:
            return f.read()
    except OSError:
        return ""


def first_line(*command):
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return out.splitlines()[0] if out else ""


def field(text, name):
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, re.M)
    return found.group(1).strip() if found else ""


def caches():
    out = {}
    for i in range(5):
        folder = f"/sys/devices/system/cpu/cpu0/cache/index{i}"
        kind, level, size = (read(f"{folder}/{n}").strip() for n in ("type", "level", "size"))
        if size and kind != "Instruction":
            out[f"L{level}"] = size
    return out


def describe(program, threads):
    cpu = read("/proc/cpuinfo")
    flags = set(field(cpu, "flags").split())
    return {
        "processor": field(cpu, "model name"), "family": field(cpu, "cpu family"), "model": field(cpu, "model"),
        "instruction_sets": [s for s in SETS if s in flags], "cores": os.cpu_count(), "threads": threads,
        "caches": caches(), "memory_gb": round(int(field(read("/proc/meminfo"), "MemTotal").split()[0]) / 1e6),
        "system": f"{platform.system()} {platform.release()}", "compiler": first_line("gcc", "--version"),
        "program": first_line(program, "--version"), "load_before": os.getloadavg()[0],
    }
