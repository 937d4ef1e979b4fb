# What a container finds around it: lines of a name, a tab, and what was found in base64. Busybox is enough for it.
# Arguments: reads=FILE writes=PATH resolves=NAME address=NAME reaches=NAME:PORT
tell() { printf '%s\t' "$1"; base64 | tr -d '\n'; echo; }
first() { for file in "$@"; do [ -r "$file" ] && cat "$file" && return; done; }

for file in environ cmdline status limits mounts; do tell "$file" <"/proc/1/$file"; done
readlink /proc/1/cwd | tell directory
readlink /proc/1/fd/0 | sed 's/\[.*//' | tell input
hostname | tell hostname
cat /proc/sys/kernel/domainname | tell domainname
cat /etc/resolv.conf | tell resolv
cat /proc/net/route | tell routes
first /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max | tell memory
first /sys/fs/cgroup/memory/memory.soft_limit_in_bytes /sys/fs/cgroup/memory.low | tell "reserved memory"
first /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max | tell processes
{ first /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max; first /sys/fs/cgroup/cpu/cpu.cfs_period_us; } | tr '\n' ' ' | tell processors

for wish in "$@"; do
    what=${wish#*=}
    case $wish in
    reads=*)
        stat -c '%a %u:%g %F' "$what" 2>&1 | tell "mode $what"
        cat "$what" 2>&1 | tell "file $what"
        ;;
    writes=*)
        if [ -d "$what" ]; then file=${what%/}/.probe; else file=$what; fi
        if (: >>"$file") 2>/dev/null; then answer=yes; else answer=no; fi
        [ -d "$what" ] && rm -f "$file" 2>/dev/null
        echo $answer | tell "writes $what"
        stat -c '%a %u:%g' "$what" 2>&1 | tell "mode $what"
        ;;
    resolves=* | address=*)
        ping -c 1 -W 1 "$what" 2>&1 | head -n 1 | tell "$wish"
        ;;
    reaches=*)
        for _ in 1 2 3; do
            answer=$(nc -w 2 "${what%:*}" "${what#*:}" </dev/null 2>/dev/null)
            [ -n "$answer" ] && break
        done
        echo "${answer:-no}" | tell "answer of $what"
        ;;
    esac
done
