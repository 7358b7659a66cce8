# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from ansible_collections.community.docker.engine import image_info as main

if __name__ == "__main__":
    main()
