#!/usr/bin/env bash
# A room for a hub: accounts, homes and /srv that are gone with this process. Root runs it in a mount
# namespace of its own (unshare --mount): room.sh WORK REPOSITORY PYTHON PORTS...
set -euo pipefail
work=$1 repository=$2 python=$3 port=$4 hub=$5 api=$6
password=$(openssl passwd -6 "$KDLAB_PASSWORD")

cp /etc/passwd /etc/group /etc/shadow "$work/"
chmod 600 "$work/shadow"
# The machine may have accounts of these names.
sed -i -E '/^(instructor|ada|bob|kdlab-students):/d' "$work/passwd" "$work/group" "$work/shadow"
uid=47110
for name in instructor ada bob; do
  uid=$((uid + 1))
  echo "$name:x:$uid:$uid::/home/$name:/bin/bash" >> "$work/passwd"
  echo "$name:x:$uid:" >> "$work/group"
  echo "$name:$password:20000:0:99999:7:::" >> "$work/shadow"
done
echo "kdlab-students:x:47110:ada,bob" >> "$work/group"
for name in passwd group shadow; do mount --bind "$work/$name" "/etc/$name"; done

# What the hub runs may lie in /home, or in a home that others cannot enter, such as /root. The homes
# are covered, and this alone is put back.
closed() {
  local path="" part parts
  IFS=/ read -ra parts <<< "${1#/}"
  for part in "${parts[@]}"; do
    path="$path/$part"
    if [ "$path" = /home ] || [ $(($(stat -c %a "$path") % 2)) = 0 ]; then echo "$path"; break; fi
  done
}
mapfile -t places < <(printf '%s\n' "$repository" "$KDLAB_PROXY"
  "$python" -c 'import sys; print(sys.base_prefix, sys.prefix, sep="\n")')
for number in "${!places[@]}"; do
  mkdir -p "$work/open/$number"
  mount --bind "${places[number]}" "$work/open/$number"
done
covered=$(for place in "${places[@]}"; do closed "$place"; done | sort -u)
for home in $covered; do mount -t tmpfs -o mode=755 tmpfs "$home"; done
mountpoint -q /home || mount -t tmpfs -o mode=755 tmpfs /home
for number in "${!places[@]}"; do
  [ -d "${places[number]}" ] || mkdir -p "${places[number]}"
  [ "$(stat -c %d:%i "${places[number]}")" = "$(stat -c %d:%i "$work/open/$number")" ] ||
    mount --bind "$work/open/$number" "${places[number]}"
  umount "$work/open/$number"
done

for name in instructor ada bob; do install -d -m 0700 -o "$name" -g "$name" "/home/$name"; done
mount -t tmpfs -o mode=755 tmpfs /srv
chmod 711 "$work"

export KDLAB_REPOSITORY=$repository KDLAB_PYTHON=$python
"$repository/deploy/jupyterhub/setup"
# A notebook's cells are all in the page, not only those that can be seen.
for name in ada bob; do
  place="/home/$name/.jupyter/lab/user-settings/@jupyterlab/notebook-extension"
  mkdir -p "$place"
  echo '{"windowingMode": "none", "autoStartDefaultKernel": true}' > "$place/tracker.jupyterlab-settings"
  chown -R "$name:" "/home/$name/.jupyter"
done
cd /srv/kdlab/hub
echo $$ > "$work/pid"
exec "$(dirname "$python")/jupyterhub" -f "$repository/deploy/jupyterhub/jupyterhub_config.py" \
  --JupyterHub.bind_url="http://127.0.0.1:$port" --JupyterHub.hub_bind_url="http://127.0.0.1:$hub" \
  --ConfigurableHTTPProxy.api_url="http://127.0.0.1:$api"
